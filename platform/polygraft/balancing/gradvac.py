"""Gradient vaccine, Wang et al. 2021 (https://openreview.net/forum?id=F1vEjWK-lH_), equation 3, algorithm 1."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
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
        gramian = tasks.gramian.numpy()  # [K, K]
        count = len(gramian)
        lengths, mine = np.sqrt(gramian.diagonal().clip(min=0)), np.arange(count)
        pairs = np.ix_(tasks.index.numpy(), tasks.index.numpy())
        usual = self.usual.numpy()
        goals, weights, products = usual[pairs], np.eye(count), gramian.copy()  # row i of products: <turned g_i, g_j>
        orders = np.stack([torch.randperm(count, generator=tasks.chance).numpy() for _ in mine], 1)
        for others in orders:  # each task by itself, all side by side: task i meets others[i]
            length = np.sqrt((weights * products).sum(1).clip(min=0))
            size = length * lengths[others]
            meets = (others != mine) & (size > 0)
            cosine = np.where(meets, products[mine, others] / np.where(meets, size, 1), 1).clip(-1, 1)
            goal = goals[mine, others]
            if (turns := meets & (cosine < goal)).any():
                sine, goal_sine = np.sqrt(1 - cosine**2), np.sqrt((1 - goal**2).clip(min=SMALLEST**2))
                share = length * (goal * sine - cosine * goal_sine) / (np.where(turns, lengths[others], 1) * goal_sine)
                share = np.where(turns, share, 0)
                weights[mine, others] += share
                products += share[:, None] * gramian[others]
            goals[mine, others] += np.where(meets, self.beta * (cosine - goal), 0)
        usual[pairs] = goals
        return torch.from_numpy(weights.sum(0))
