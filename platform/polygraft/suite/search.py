"""Search: that each searched path is there and each distribution is one; what is drawn is the business of `tune`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from polygraft.core.errors import nearest
from polygraft.suite.overrides import item_of
from polygraft.suite.words import shown


def _ascending(args: list[Any]) -> bool:
    return len(args) == 2 and all(map(_number, args)) and args[0] < args[1]


def _positive(args: list[Any]) -> bool:
    return _ascending(args) and args[0] > 0


def _whole(args: list[Any]) -> bool:
    return all(isinstance(each, int) for each in args)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_RULES: dict[str, tuple[str, Callable[[list[Any]], bool]]] = {
    "uniform": ("[low, high]", _ascending),
    "loguniform": ("[low, high] with 0 < low", _positive),
    "quniform": (
        "[low, high, step]",
        lambda args: len(args) == 3 and _ascending(args[:2]) and _number(args[2]) and args[2] > 0,
    ),
    "randint": ("[low, high] of whole numbers, high left out", lambda args: _ascending(args) and _whole(args)),
    "lograndint": (
        "[low, high] of whole numbers with 0 < low, high left out",
        lambda args: _positive(args) and _whole(args),
    ),
    "choice": ("a list of values", lambda args: len(args) > 0),
}
"""By name, as Ray Tune calls it: what a distribution takes, and whether a list is that."""


def search_faults(search: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(dotted path, what is wrong) for a `search` section over the suite's resolved `content`."""
    for path, distribution in search.items():
        here = f"search.{path}"
        if lost := _lost(path, content):
            yield here, lost
        if not (isinstance(distribution, Mapping) and len(distribution) == 1):
            yield here, f"takes one distribution, {{name: arguments}}, not {shown(distribution)}."
            continue
        ((name, args),) = distribution.items()
        if name not in _RULES:
            yield here, f"no distribution is called '{name}'.{nearest(name, _RULES)} There are {', '.join(_RULES)}."
        elif not (isinstance(args, list) and _RULES[name][1](args)):
            yield here, f"{name} takes {_RULES[name][0]}, not {args!r}."


def _lost(path: str, content: Mapping[str, Any]) -> str:
    """What to say where the suite has no such path; empty where it has."""
    at: Any = content
    steps = path.split(".")
    for i, step in enumerate(steps):
        before = ".".join(steps[:i]) or "the suite"
        if isinstance(at, list):
            try:
                at = at[item_of(at, step, before)]
            except LookupError as error:
                return str(error.args[0])
        elif isinstance(at, Mapping) and step in at:
            at = at[step]
        elif isinstance(at, Mapping):
            return f"{before} has no '{step}'.{nearest(step, at)} It has {', '.join(at)}."
        else:
            return f"{before} is {shown(at)} and has nothing inside."
    return ""
