"""Group optimization for multi-task alignment, Shen et al. 2024 (https://arxiv.org/abs/2404.06486), adaptive group risk minimization."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.core.catalogue import Range

Array = NDArray[np.float64]

SMALLEST = 1e-8  # a loss below counts as this; losses are > 0


class GO4Align(Weighting):
    """Give tasks that stand alike one weight: indicators p_k sum_j L_j / L_k, clustered, each task takes its cluster's mean.

    p is what risks so far have left: p_k proportional to exp(-step_size sum over steps of L_k), 1 / K at first. The
    indicators are numbers, so their k-means clusters are found exactly, by dynamic programming over the sorted ones;
    the authors start k-means at random or relax it. p is kept as logarithms and shared among the present tasks.

    groups: clusters, at most as many as tasks. step_size: how fast p forgets the tasks with high losses.
    """

    needs = "losses"
    heads = "weighted"

    risk: Tensor

    def __init__(
        self,
        tasks: int,
        /,
        groups: Annotated[int, Range(min=1)] = 2,
        step_size: Annotated[float, Range(min=0)] = 1e-4,
    ) -> None:
        super().__init__()
        self.groups, self.step_size = groups, step_size
        self.register_buffer("risk", torch.zeros(tasks, dtype=torch.float64))  # sum of losses over the steps

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """[K]."""
        losses = tasks.losses.clamp(min=SMALLEST)
        self.risk[tasks.index] += losses
        indicators = (-self.step_size * self.risk[tasks.index]).softmax(0) * losses.sum() / losses
        return torch.from_numpy(cluster_means(indicators.numpy(), min(self.groups, len(losses))))


def cluster_means(values: Array, groups: int) -> Array:
    """[K]: each value's cluster's mean, of `groups` clusters with the least sum of squares within.

    Clusters of numbers are intervals (Fisher 1958, "On grouping for maximum homogeneity"), so the best of the first j
    sorted values in one cluster more is found from the best of fewer.
    """
    order, k = values.argsort(kind="stable"), len(values)
    spread = _spreads(values[order])
    best, cuts = spread[0], []
    for _ in range(groups - 1):
        through = best[:, None] + spread  # [where the last cluster begins, where it ends]
        cuts.append(through.argmin(0))
        best = through.min(0)
    means, end = np.empty(k), k
    for begins in (*reversed(cuts), np.zeros(k + 1, dtype=np.intp)):
        mine = order[int(begins[end]) : end]
        means[mine] = values[mine].sum() / max(len(mine), 1)
        end = int(begins[end])
    return means


def _spreads(ranked: Array) -> Array:
    """[K + 1, K + 1]: the sum of squares about their mean of the values from i up to j; infinite where j < i."""
    centred = ranked - ranked.mean()
    sums, squares = (np.concatenate([[0.0], np.cumsum(centred**power)]) for power in (1, 2))
    i, j = np.ogrid[: len(sums), : len(sums)]
    spread = squares - squares[:, None] - (sums - sums[:, None]) ** 2 / np.maximum(j - i, 1)
    found: Array = np.where(j < i, np.inf, np.maximum(spread, 0.0))
    return found
