"""What reads what: whether a trunk or a head is offered the kind of features that it wants, and if not, what would be."""

from __future__ import annotations

from collections.abc import Sequence

from polygraft.core.catalogue import catalogue
from polygraft.core.errors import fault
from polygraft.core.features import Offer
from polygraft.models.heads import registry as heads
from polygraft.models.trunks import registry as trunks
from polygraft.suite.schema import Suite

KINDS = {"vector": "a vector", "sequence": "a sequence", "maps": "maps"}


def for_trunk(suite: Suite, offer: Offer) -> Offer:
    """What the suite's backbone reads of what a stem offers. Raises UserError where it is not offered."""
    name = suite.backbone.name
    wants: str = trunks.find(name, suite.folder).wants
    if read := offer.of(wants):
        return read
    ways = [*_readers("models/trunks", suite, offer.kinds), *_stems(suite, wants)]
    raise fault(
        f"backbone: '{name}' reads {_kind(wants)}; the tables offer {_kinds(offer)}.{_mend(ways)}",
        suite.where("backbone"),
    )


def for_head(suite: Suite, task: str, name: str, offer: Offer) -> Offer:
    """What the head `name` of a task reads of what the backbone offers. Raises UserError where it is not offered."""
    wants: str = heads.find(name, suite.folder).wants
    if read := offer.of(wants):
        return read
    ways = [*_readers("models/heads", suite, offer.kinds), f"a backbone that offers {_kind(wants)}"]
    raise fault(
        f"tasks.{task}: its head '{name}' reads {_kind(wants)}; the backbone '{suite.backbone.name}' offers {_kinds(offer)}."
        f"{_mend(ways)}",
        suite.where(f"tasks.{task}"),
    )


def _readers(room: str, suite: Suite, kinds: Sequence[str]) -> list[str]:
    found = [name for kind in kinds for name in catalogue(room, suite.folder).names(wants=kind)]
    return [" or ".join(f"'{name}'" for name in found)] if found else []


def _stems(suite: Suite, kind: str) -> list[str]:
    """The stems that a setting `offers` can make offer this kind."""
    found = [
        name
        for name, stem in catalogue("models/stems", suite.folder).items()
        if any(setting.name == "offers" and setting.kind.accepts(kind) for setting in stem.settings)
    ]
    return [f"`offers: {kind}` in the table's stem ({', '.join(found)})"] if found else []


def _kind(kind: str) -> str:
    return KINDS.get(kind, f"a {kind}")


def _kinds(offer: Offer) -> str:
    return " and ".join(map(_kind, offer.kinds))


def _mend(ways: Sequence[str]) -> str:
    return f" Take {', or '.join(ways)}."
