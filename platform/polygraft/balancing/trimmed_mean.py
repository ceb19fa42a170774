"""Coordinate-wise trimmed mean, Yin et al. 2018 (https://arxiv.org/abs/1803.01498), definition 2."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from polygraft.balancing.base import Blocks, Surgery, TaskGradients
from polygraft.core.catalogue import Range


class TrimmedMean(Surgery):
    """For each column leave out the tasks with the largest and the smallest numbers, and follow the others' mean.

    Made for workers of whom some lie; of tasks it takes those that pull like most. Where leaving out would leave nobody,
    as many are left out as leave one or two: two tasks are averaged, of three the median is taken.

    trim: how many at each end; the paper's share beta is trim / K.
    """

    modes = ("parameters",)
    cost = "K backwards and a sort of K numbers for each shared parameter"

    def __init__(self, trim: Annotated[int, Range(min=0)] = 1) -> None:
        super().__init__()
        self.trim = trim

    def combine(self, tasks: TaskGradients) -> Blocks:
        """[width] each."""
        return tuple(self._trimmed(rows) for rows in tasks.rows)

    def _trimmed(self, rows: Tensor) -> Tensor:
        out = min(self.trim, (len(rows) - 1) // 2)
        return rows.sort(0).values[out : len(rows) - out].mean(0)
