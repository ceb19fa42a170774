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
        lengths = np.sqrt(gramian.diagonal().clip(min=0))
        pairs = np.ix_(tasks.index.numpy(), tasks.index.numpy())
        usual, weights = self.usual.numpy(), np.eye(len(gramian))  # row i: task i's turned gradient in terms of all
        goals = usual[pairs]
        for i, mine in enumerate(weights):
            for j in torch.randperm(len(gramian), generator=tasks.chance).tolist():
                length = float(np.sqrt(max(mine @ gramian @ mine, 0.0)))
                if j == i or not length * lengths[j] > 0:
                    continue
                cosine, goal = float(np.clip(mine @ gramian[j] / (length * lengths[j]), -1, 1)), goals[i, j]
                if cosine < goal:
                    sine, goal_sine = np.sqrt(1 - cosine**2), np.sqrt(max(1 - goal**2, 0.0))
                    mine[j] += length * (goal * sine - cosine * goal_sine) / (lengths[j] * max(goal_sine, SMALLEST))
                goals[i, j] += self.beta * (cosine - goal)
        usual[pairs] = goals
        return torch.from_numpy(weights.sum(0))
