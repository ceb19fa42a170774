"""Toys for the ways of sharing: a trunk of three stages for each kind of features, the trunks that there are, and networks of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from polygraft.core.batch import Batch
from polygraft.core.catalogue import catalogue
from polygraft.core.features import Features, Offer
from polygraft.models import sharing, trunks
from polygraft.models.base import Head, Stem, Trunk
from polygraft.models.network import Network

TASKS = ("late", "delay", "kind")
WIDTHS = (8, 7, 6)
ROWS = 11
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "mmoe": [{"experts": 3}, {"experts": 2, "from_stage": 1}],
    "cgc": [{}, {"shared": 1, "own": 2, "from_stage": 2}],
    "ple": [{}, {"levels": 3, "own": 2}],
    "cross_stitch": [{}, {"unit": "stage", "own": 0.7}],
    "dselect_k": [{}, {"gating": "per_example", "experts": 2, "selected": 1, "from_stage": 1}],
    "ltb": [{}, {"branches": 2, "end": 1.0}],
}
"""What is tried of each plugin; of one that is not named here, its defaults."""
VARIANTS = [(name, given) for name in catalogue("models/sharing") for given in SETTINGS.get(name, [{}])]

EXCEPTIONS = {
    "training sees what evaluation sees": {
        "ltb": "it draws branches in training, and takes the likeliest ones after it",
    },
    "the number of shards changes roundings alone": {
        "ltb": "its noise is drawn once a shard, as dropout's is",
    },
}
"""Ways of sharing for which a law does not hold, each with the reason: the one place."""


TRUNKS: dict[str, tuple[str, dict[str, Any]]] = {
    "cnn": ("maps", {"widths": [6, 4], "block": "residual", "groups": 2}),
    "feature_pyramid": ("maps", {"widths": [4, 6], "width": 5, "block": "plain", "groups": 2}),
    "lstm": ("sequence", {"widths": [6, 4], "bidirectional": True, "project": 5}),
    "transformer": ("sequence", {"layers": 2, "heads": 2, "width": 8, "hidden": 12, "max_length": 9}),
}
"""Of each trunk beside `mlp` what it reads, and settings."""

REFUSED = {
    ("mtan", "feature_pyramid"): "mtan attends to maps of one level a stage",
    ("cross_stitch", "feature_pyramid"): "Take unit: stage",
}
"""Ways of sharing that a trunk does not allow, with the words."""


class ToyStem(Stem):
    """Learned, to tell whether gradient leaks around the cut."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.offer = Offer(kind, 5)
        self.linear = nn.Linear(4, 5)

    def forward(self, inputs: Mapping[str, Tensor]) -> Features:
        found = torch.tanh(self.linear(inputs[self.offer.kind]))
        if self.offer.kind == "maps":
            return Features(maps=(found.permute(0, 3, 1, 2),))
        if self.offer.kind == "sequence":
            return Features(sequence=found, mask=inputs["mask"])
        return Features(vector=found)


class Layer(nn.Module):
    """One stage. Maps shrink by a stride; positions of a sequence see the mean of those that are there."""

    def __init__(self, kind: str, before: int, width: int) -> None:
        super().__init__()
        self.kind = kind
        maps = kind == "maps"
        self.linear = nn.Conv2d(before, width, 3, stride=2, padding=1) if maps else nn.Linear(before, width)

    def forward(self, features: Features) -> Features:
        if self.kind == "maps":
            return replace(features, maps=(torch.tanh(self.linear(features.maps[0])),))
        assert features.sequence is not None
        assert features.mask is not None
        there = features.mask.unsqueeze(2).to(features.sequence.dtype)
        context = (features.sequence * there).sum(1, keepdim=True) / there.sum(1, keepdim=True)
        return replace(features, sequence=torch.tanh(self.linear(features.sequence + context)))


class Flat(nn.Module):
    """A last stage that makes a vector of maps, as image trunks do."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(before, width)

    def forward(self, features: Features) -> Features:
        return Features(vector=torch.tanh(self.linear(features.maps[0].amax((2, 3)))))


class ToyTrunk(Trunk):
    """kind: `sequence`, `maps`, or `maps to vector`."""

    def __init__(self, kind: str, width: int) -> None:
        super().__init__()
        self.last = kind == "maps"
        every = "sequence" if kind == "sequence" else "maps"
        pairs = list(zip((width, *WIDTHS), WIDTHS, strict=False))
        layers: list[nn.Module] = [Layer(every, before, then) for before, then in pairs]
        if kind == "maps to vector":
            layers[-1] = Flat(*pairs[-1])
        self.stages = nn.ModuleList(layers)
        ends = "vector" if kind == "maps to vector" else every
        self.offers = (*(Offer(every, each) for each in WIDTHS[:-1]), Offer(ends, WIDTHS[-1]))

    def last_layer(self) -> nn.Module:
        found: nn.Module = self.stages[-1].linear  # type: ignore[assignment]
        return found


class ToyHead(Head):
    """A linear map of all that comes, added up: padding is 0, maps may be of several levels."""

    def __init__(self, offer: Offer, size: int) -> None:
        super().__init__()
        self.size = size
        self.out = nn.Linear(offer.width, size)

    def forward(self, features: Features, given: Tensor | None = None) -> Tensor:
        parts = [] if features.vector is None else [features.vector]
        if features.sequence is not None:
            assert features.mask is not None
            parts.append((features.sequence * features.mask.unsqueeze(2)).sum(1))
        parts += [maps.mean((2, 3)) for maps in features.maps]
        found = torch.stack(parts).sum(0)
        return self.out(found)  # type: ignore[no-any-return]


KINDS = ("vector", "sequence", "maps", "maps to vector")


def reads(kind: str) -> str:
    """What a stem must offer."""
    return TRUNKS[kind][0] if kind in TRUNKS else kind.split()[0]


def make_trunk(kind: str, width: int = 5, **settings: Any) -> Trunk:
    if kind == "vector":
        made = trunks.registry.make("mlp", {"widths": list(WIDTHS), "activation": "gelu", **settings}, width=width)
        assert isinstance(made, Trunk)
        return made
    if kind in TRUNKS:
        of, chosen = TRUNKS[kind]
        made = trunks.registry.make(kind, {**chosen, **settings}, offer=Offer(of, width))
        assert isinstance(made, Trunk)
        return made
    return ToyTrunk(kind, width)


def network(
    name: str,
    settings: Mapping[str, Any],
    kind: str = "vector",
    tables: Mapping[str, tuple[str, ...]] | None = None,
    **trunk: Any,
) -> Network:
    """In float64, in training mode; the same weights each time. tables: the tasks of each; one of all by default."""
    torch.manual_seed(3)
    tables = tables or {"flights": TASKS}
    stems = {table: ToyStem(reads(kind)) for table in tables}
    offer = next(iter(stems.values())).offer
    tasks = tuple(task for of in tables.values() for task in of)
    shared = sharing.registry.make(
        name, settings, make_trunk=lambda: make_trunk(kind, **trunk), tasks=tasks, offer=offer
    )
    heads = {task: ToyHead(shared.offer, 2) for task in tasks}
    made = Network(stems, shared, heads, {task: table for table, of in tables.items() for task in of})
    return made.double()


def batch(rows: int = ROWS, seed: int = 1) -> Batch:
    chance = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=chance, dtype=torch.float64)

    mask = torch.arange(6) < torch.randint(1, 7, (rows, 1), generator=chance)
    inputs = {"vector": normal(rows, 4), "sequence": normal(rows, 6, 4), "maps": normal(rows, 9, 9, 4), "mask": mask}
    return Batch(inputs=inputs, weights=torch.ones(rows), rows=torch.arange(rows))


def chosen(rows: Batch, order: Tensor, dtype: torch.dtype = torch.float64) -> Batch:
    """Some rows of a batch, in this order."""
    found = {name: each[order].to(each.dtype if name == "mask" else dtype) for name, each in rows.inputs.items()}
    return Batch(found, weights=rows.weights[order], rows=order)


def losses(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Sums over rows that no task shares."""
    return {task: (each - 0.3 * TASKS.index(task)).square().sum() for task, each in outputs.items()}
