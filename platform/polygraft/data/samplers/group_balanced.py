"""Group-balanced sampling, each group as often as every other (Sagawa et al. 2020, https://arxiv.org/abs/1911.08731, section 5, "reweighting" by resampling)."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from polygraft.core.catalogue import Range
from polygraft.data.samplers.base import Sampler
from polygraft.data.training_rows import TrainingRows


class GroupBalanced(Sampler):
    """Each value of a column comes as often as every other; within a group each row as often as every other.

    A row's weight counts in the loss. Rows of small groups come several times an epoch, some of large ones not at all.
    by: the column of the groups, be it a feature, a target or neither; its missing values are a group.
    power: 1 brings all groups to equal shares, 0 leaves them as they are, between them a group of n rows has a share of
        n^(1 - power) beside the others.
    """

    takes = "by_chance"
    weighs = True

    def __init__(self, by: str, power: Annotated[float, Range(min=0, max=1)] = 1.0) -> None:
        self.by, self.power = by, power

    def shares(self, rows: TrainingRows) -> np.ndarray:
        groups = rows.groups(self.by, "by")
        return np.bincount(groups)[groups].astype(np.float64) ** -self.power
