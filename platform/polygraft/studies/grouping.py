"""Which tasks to train together: the best way to share tasks among n networks, given how each helps each other (pure).

Fifty et al. 2021, https://arxiv.org/abs/2109.04617, section 3.2, where a branch and bound finds it; here a programme over subsets,
exact, O(n 3^K).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MOST = 14
"""Tasks that a grouping is found for; one more takes three times as long."""

Square = Sequence[Sequence[float]]
"""[K, K]: lines whose gradient, columns whose loss; nan where nothing is known, which counts as 0."""


@dataclass(frozen=True)
class Grouping:
    """groups: numbers of tasks, ascending, every task in one. score: see `score`."""

    groups: tuple[tuple[int, ...], ...]
    score: float


def grouped(square: Square, n: int) -> Grouping:
    """The grouping into exactly n groups with the largest score; of equal ones, one that depends on nothing else."""
    tasks = len(square)
    assert 1 <= n <= tasks <= MOST, f"{n} groups of {tasks} tasks"
    values = [score(square, members(each)) for each in range(1 << tasks)]
    best, taken = values, [list(range(1 << tasks))]
    for count in range(2, n + 1):
        wanted = range(1, 1 << tasks) if count < n else [(1 << tasks) - 1]
        best, chosen = _one_more(values, best, wanted)
        taken.append(chosen)
    left, groups = (1 << tasks) - 1, []
    total = best[left]
    for chosen in reversed(taken):
        groups.append(members(chosen[left]))
        left ^= chosen[left]
    return Grouping(tuple(sorted(groups)), total)


def score(square: Square, group: Sequence[int]) -> float:
    """The sum over a group's tasks of the mean affinity from its others onto each; 0 for a task alone, -inf for none."""
    if not group:
        return -math.inf
    others = max(1, len(group) - 1)
    known = (square[i][j] for i in group for j in group if i != j)
    return math.fsum(each for each in known if not math.isnan(each)) / others


def members(subset: int) -> tuple[int, ...]:
    """The numbers of a subset's bits."""
    return tuple(k for k in range(subset.bit_length()) if subset >> k & 1)


def _one_more(values: Sequence[float], before: Sequence[float], wanted: Sequence[int]) -> tuple[list[float], list[int]]:
    """For each wanted subset: the best score with one more group, and that group, which holds the lowest task."""
    best, chosen = [-math.inf] * len(values), [0] * len(values)
    for subset in wanted:
        lowest = subset & -subset
        rest = part = subset ^ lowest
        while part:  # `part` stays outside of the new group, and is not empty
            found = values[subset ^ part] + before[part]
            if found > best[subset]:
                best[subset], chosen[subset] = found, subset ^ part
            part = (part - 1) & rest
    return best, chosen
