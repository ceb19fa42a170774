"""Overrides: `--set a.b=c` laid over what a suite's file says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any

from polygraft.core.errors import Fault, UserError, nearest
from polygraft.suite.running import AdamW, ScheduleSuite
from polygraft.suite.schema import Suite
from polygraft.suite.text import read_value

_PLAIN = {"workers": "count"}  # what a plain value stands for; everywhere else it is a `name`


def read_overrides(given: Mapping[str, Any] | Iterable[str]) -> list[tuple[str, Any, str]]:
    """(dotted path, value, how the person wrote it) of each; texts are `path=value` with a YAML value."""
    if isinstance(given, Mapping):
        return [(path, value, f"--set {path}={value}") for path, value in given.items()]
    found, faults = [], []
    for text in given:
        path, equals, value = text.partition("=")
        try:
            if not (equals and path.strip()):
                raise ValueError("takes KEY=VALUE, for example train.steps=200")
            found.append((path.strip(), read_value(value), f"--set {text}"))
        except ValueError as error:
            faults.append(Fault(f"--set {text}", f"{error}."))
    if faults:
        raise UserError(faults)
    return found


def lay_over(raw: dict[str, Any], places: dict[str, str], overrides: list[tuple[str, Any, str]]) -> None:
    """Set each override in `raw` and note in `places` where it came from. Raises UserError for list items that are not there.

    Keys that do not exist are set all the same: the schema refuses them, with the nearest right one.
    """
    faults = []
    for path, value, written in overrides:
        try:
            _put(raw, path.split("."), value)
        except LookupError as error:
            faults.append(Fault(written, str(error.args[0])))
            continue
        for known in [each for each in places if each == path or each.startswith(f"{path}.")]:
            del places[known]  # what stood there is no longer said
        for around in accumulate(path.split("."), "{}.{}".format):
            places.setdefault(around, written)  # sections that only this one opens
    if faults:
        raise UserError(faults)


def _put(raw: dict[str, Any], steps: list[str], value: Any) -> None:
    holder: Any = raw
    for i, step in enumerate(steps[:-1]):
        index: Any = item_of(holder, step, ".".join(steps[:i])) if isinstance(holder, list) else step
        inner = holder[index] if isinstance(holder, list) else holder.get(index, _default(steps[: i + 1]))
        if not isinstance(inner, dict | list):  # `balancer: cagrad` opens up when one of its settings is set
            inner = {} if inner is None else {_PLAIN.get(step, "name"): inner}
        holder[index] = inner
        holder = inner
    last: Any = steps[-1]
    if isinstance(holder, list):
        last = item_of(holder, last, ".".join(steps[:-1]))
    holder[last] = value


def item_of(items: list[Any], step: str, path: str) -> int:
    """The number of the item that `step` means: a number, or the name of one. Raises LookupError, in words."""
    names = [each.get("name") if isinstance(each, dict) else each for each in items]
    if step in names:
        return names.index(step)
    if step.isdecimal() and int(step) < len(items):
        return int(step)
    known = [str(name) for name in names]
    has = f"It has 0 to {len(items) - 1}: {', '.join(known)}." if items else "It is empty."
    raise LookupError(f"{path}: the list has no item '{step}'.{nearest(step, known)} {has}")


def _default(steps: list[str]) -> Any:
    """What an absent key stands for when something inside it is set: the plugin that is there by default."""
    match steps:
        case [("backbone" | "sharing" | "balancer") as key]:
            return {"name": Suite.model_fields[key].default.name}
        case ["train", "optimizer"]:
            return {"name": AdamW().name}
        case ["train", "schedule"]:
            return {"name": ScheduleSuite().name}
        case ["data", _, "clean"]:
            from polygraft.suite.sections import TableSuite

            return [{"name": each.name} for each in TableSuite.model_fields["clean"].default]
    return {}
