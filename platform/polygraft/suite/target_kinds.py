"""Which kind of target a task has: of those that its objective is for, the one that takes so many columns."""

from __future__ import annotations

from polygraft.core.catalogue import catalogue

Kinds = str | tuple[str, ...]
"""The fact `target` of an objective: names of `data/target_kinds`."""
_WORDS = ("no", "one", "two", "three", "four")


def target_kind(kinds: Kinds, columns: int) -> str | None:
    """The first of these kinds that takes so many columns."""
    for kind in (kinds,) if isinstance(kinds, str) else kinds:
        fewest, most = _bounds(kind)
        if fewest <= columns and (most is None or columns <= most):
            return kind
    return None


def columns_in_words(kinds: Kinds) -> str:
    """How many columns the first of these kinds takes: `one column`, `two or more columns`."""
    fewest, most = _bounds(kinds if isinstance(kinds, str) else kinds[0])
    if most is None:
        return f"{_WORDS[fewest]} or more columns"
    return f"{_WORDS[fewest]} column{'s' * (fewest > 1)}"


def _bounds(kind: str) -> tuple[int, int | None]:
    fewest, most = catalogue("data/target_kinds")[kind].facts.get("columns", (1, 1))
    return fewest, most
