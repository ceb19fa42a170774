"""Gradient vaccine, Wang et al. 2021 (https://openreview.net/forum?id=F1vEjWK-lH_), equation 3, algorithm 1."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.unit_gradients import unit
from polygraft.core.catalogue import Range

SMALLEST = 1e-8  # what a length times the sine of the goal is lifted by before it divides, as in LibMTL


class GradVac(Weighting):
    """Turn each task's gradient until its cosine with each other one is at least their usual one; then sum.

    The usual cosine of a pair is a moving average, 0 at first: the first step is PCGrad's. It moves at every look, as in
    the paper (LibMTL: only where the gradient is turned). One group of parameters, the paper's whole_model. The order
    is drawn for each task. A pair of which a task is absent keeps its average.

    beta: how much of the new cosine enters the average.
    """

    needs = "gramian"
    modes = ("last_layer", "parameters")
    cost = "K^2 products of K numbers; in parameters mode K backwards"

    usual: Tensor

    def __init__(self, tasks: int, /, beta: Annotated[float, Range(min=0, max=1)] = 0.01) -> None:
        super().__init__()
        self.beta = beta
        self.register_buffer("usual", torch.zeros(tasks, tasks, dtype=torch.float64))

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K] of the summed, turned gradients."""
        lengths, cosines = unit(tasks.gramian.numpy())
        count, present = len(lengths), tasks.index.numpy()
        mine, pairs, usual = np.arange(count), np.ix_(present, present), self.usual.numpy()
        orders = np.stack([torch.randperm(count, generator=tasks.chance).numpy() for _ in mine], 1)  # [turn, task]
        places = orders + mine * count  # of (task, other) in a flat [K, K]
        passed = (orders == mine) | (lengths == 0)[orders]
        goals = usual[pairs].ravel()
        slants = (goals / np.sqrt((1 - goals**2).clip(min=SMALLEST**2))).take(places)  # of the goals: cosine over sine
        products, squares = lengths[:, None] * cosines, lengths**2  # <turned g_i, u_j> [K, K]; |turned g_i|^2 [K]
        along, turns, seen = (np.empty((count, count)) for _ in range(3))  # [turn, task]
        for turn, others in enumerate(orders):  # each task by itself, all side by side: task i meets others[i]
            before = products.take(places[turn])
            along[turn], seen[turn] = before, squares
            across = np.maximum(squares - before * before, 0)  # a turn leaves what is perpendicular to the other
            after = np.maximum(np.sqrt(across) * slants[turn], before)
            np.copyto(after, before, where=passed[turn])
            squares = across + after * after
            turns[turn] = after - before
            products += turns[turn][:, None] * cosines.take(others, 0)
        sizes = np.sqrt(seen)
        met = ~passed & (sizes > 0)
        cosine = (along / np.where(met, sizes, 1)).clip(-1, 1)
        goals[places] += np.where(met, self.beta * (cosine - goals[places]), 0)
        usual[pairs] = goals.reshape(count, count)
        added = np.bincount(orders.ravel(), turns.ravel(), count) / np.where(lengths > 0, lengths, 1)
        return torch.from_numpy(1 + added)
