"""Load: a suite's file to a Suite, or to all of its faults at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from polygraft.core.errors import Fault, UserError, fault
from polygraft.suite.checks import Rooms, completed, cross_faults, plugin_faults
from polygraft.suite.origin import Origin
from polygraft.suite.overrides import lay_over, read_overrides
from polygraft.suite.schema import Suite, resolved
from polygraft.suite.search import search_faults
from polygraft.suite.text import read_text
from polygraft.suite.words import path_of, words_of


def load(
    path: str | os.PathLike[str],
    set: Mapping[str, Any] | Iterable[str] = (),
    *,
    folder: Path | None = None,
) -> Suite:
    """The suite in `path` (or in `path/suite.yaml`), with every default written in.

    set: `{"train.steps": 5}` or texts as after `--set`. folder: what relative paths and `plugins/` are looked for in, when
    it is not the file's own folder (a worker reads the resolved copy in a run's folder).
    Raises UserError with every fault of the suite, each with its `file:line`.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "suite.yaml"
    try:
        text = file.read_bytes()
    except OSError as error:
        raise fault(
            f"{(error.strerror or str(error)).lower()}. A suite is a YAML file; `polygraft init` writes one.", str(file)
        ) from None
    raw, places = read_text(text, str(file))
    lay_over(raw, places, read_overrides(set))
    return read(raw, Origin(str(file), folder or file.parent, places))


def read(raw: Mapping[str, Any], origin: Origin) -> Suite:
    """The suite that a plain mapping says. Raises UserError with all its faults, at the places that `origin` knows."""
    wrong, suite = _validated(raw)
    if suite is None:
        raise UserError(_faults(wrong, origin))
    rooms = Rooms(origin.folder)
    wrong += _unless_known(_checks(suite, raw, rooms), wrong)
    suite = completed(suite, rooms)
    wrong += _unless_near(search_faults(suite.search, resolved(suite)), wrong)
    if wrong:
        raise UserError(_faults(wrong, origin))
    return suite.at(origin)


def _validated(raw: Mapping[str, Any]) -> tuple[list[tuple[str, str]], Suite | None]:
    """(path, what is wrong) for all that the schema refuses, and a suite of what it does not; None when too little is left.

    What is refused is taken out and the rest read again, so that the other checks can speak in the same breath.
    """
    rest: dict[str, Any] = deepcopy(dict(raw))
    wrong: list[tuple[str, str]] = []
    for attempt in range(20):
        try:
            return wrong, Suite.model_validate(rest)
        except ValidationError as errors:
            found = errors.errors()
            if attempt == 0:
                wrong = [(path_of(error), words_of(error)) for error in found]
            for error in reversed(found):  # from behind, so that the numbers of list items stay right
                _take_out(rest, [step for step in error["loc"] if step != "[key]"])
    return wrong, None


_REQUIRED: dict[str, Any] = {"suite": "unnamed", "data": {}, "tasks": {}}


def _take_out(rest: dict[str, Any], location: list[Any]) -> None:
    """Take what is wrong out of `rest`: the value itself, or what holds it where it is missing and needed."""
    holders: list[tuple[Any, Any]] = []
    at: Any = rest
    for step in location:
        if not (isinstance(at, dict) and step in at) and not (
            isinstance(at, list) and isinstance(step, int) and step < len(at)
        ):
            break  # a missing key, or the union's tag that pydantic writes into its path
        holders.append((at, step))
        at = at[step]
    if not holders or (len(holders) == 1 and holders[0][1] in _REQUIRED):
        key = str(location[0])
        rest[key] = _REQUIRED.get(key)
        return
    holder, step = holders[-1]
    del holder[step]


def _checks(suite: Suite, raw: Mapping[str, Any], rooms: Rooms) -> Iterator[tuple[str, str]]:
    tables, tasks = (list(raw[key]) if isinstance(raw.get(key), Mapping) else [] for key in ("data", "tasks"))
    yield from plugin_faults(suite, rooms)
    yield from cross_faults(suite, tables, tasks, rooms)


def _unless_known(found: Iterable[tuple[str, str]], known: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What was found about paths of which nothing is known to be wrong, inside or around."""

    def related(a: str, b: str) -> bool:
        return a == b or a.startswith(f"{b}.") or b.startswith(f"{a}.")

    return [(path, what) for path, what in found if not any(related(path, other) for other, _ in known)]


def _unless_near(found: Iterable[tuple[str, str]], known: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What was found of searched paths, but those into a section of which something is known to be wrong."""
    around = [path.rpartition(".")[0] or path for path, _ in known]
    return [(path, what) for path, what in found if not path.removeprefix("search.").startswith(tuple(around))]


def _faults(wrong: list[tuple[str, str]], origin: Origin) -> list[Fault]:
    """As faults in the order of the file's lines."""

    def line(each: Fault) -> tuple[bool, int]:
        number = each.where.rpartition(":")[2]
        return not number.isdecimal(), int(number) if number.isdecimal() else 0

    return sorted((Fault(origin.where(path), f"{path}: {what}") for path, what in wrong), key=line)
