"""Projecting conflicting gradients, Yu et al. 2020 (https://arxiv.org/abs/2001.06782), algorithm 1."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting


class PCGrad(Weighting):
    """Take from each task's gradient what points against another task's; then sum.

    Works on the Gramian alone: a projected gradient stays a combination of the task gradients, so its coefficients
    are enough. The order of projections is drawn for each task, as in the authors' code.
    """

    needs = "gramian"
    modes = ("last_layer", "parameters")
    cost = "K^2 products of K numbers; in parameters mode K backwards"

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K] of the summed, projected gradients."""
        gramian = tasks.gramian.numpy()  # [K, K]
        weights = np.eye(len(gramian))  # row i: task i's projected gradient in terms of all
        for i, mine in enumerate(weights):
            for j in torch.randperm(len(gramian), generator=tasks.chance).tolist():
                conflict = mine @ gramian[j]  # <projected g_i, g_j>
                if j != i and conflict < 0:
                    mine[j] -= conflict / gramian[j, j]
        return torch.from_numpy(weights.sum(0))
