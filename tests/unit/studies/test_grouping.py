"""Groupings of tasks against brute force over all partitions."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from polygraft.studies.grouping import grouped, score


def partitions(tasks: list[int]) -> Iterator[list[list[int]]]:
    """All ways to share tasks among groups."""
    if not tasks:
        yield []
        return
    first, *others = tasks
    for rest in partitions(others):
        yield [[first], *rest]
        for k, group in enumerate(rest):
            yield [*rest[:k], [first, *group], *rest[k + 1 :]]


def by_hand(square: np.ndarray, groups: list[list[int]]) -> float:
    """The sum over tasks of the mean affinity from the others of the group."""
    return sum(
        float(np.mean([np.nan_to_num(square[i, j]) for i in group if i != j]))
        for group in groups
        for j in group
        if len(group) > 1
    )


@pytest.mark.parametrize("tasks", [1, 2, 3, 5, 7])
def test_no_partition_into_as_many_groups_is_better(tasks: int) -> None:
    square = np.random.default_rng(tasks).normal(size=(tasks, tasks))
    square[0, -1] = math.nan if tasks > 2 else square[0, -1]
    for n in range(1, tasks + 1):
        found = grouped(square.tolist(), n)
        best = max(by_hand(square, each) for each in partitions(list(range(tasks))) if len(each) == n)
        assert len(found.groups) == n
        assert sorted(k for group in found.groups for k in group) == list(range(tasks))
        assert found.score == pytest.approx(best, abs=1e-12)
        assert by_hand(square, list(map(list, found.groups))) == pytest.approx(best, abs=1e-12)


def test_a_task_alone_neither_gains_nor_loses() -> None:
    assert score([[5.0, 1.0], [2.0, 5.0]], [1]) == 0
    assert score([[5.0, 1.0], [2.0, 5.0]], [0, 1]) == 3
