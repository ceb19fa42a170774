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
        gramian, k = tasks.gramian.numpy(), len(tasks.index)
        orders = torch.stack([torch.randperm(k, generator=tasks.chance) for _ in range(k)]).numpy()
        lengths, itself = np.diagonal(gramian), np.arange(k)
        weights = np.eye(k)  # row i: task i's projected gradient in terms of all
        for others in orders.T:  # each task's next one; the tasks know nothing of each other's turns
            conflicts = np.einsum("ij,ij->i", weights, gramian[others])  # <projected g_i, g_other>
            conflicts[(conflicts >= 0) | (others == itself)] = 0
            weights[itself, others] -= np.divide(conflicts, lengths[others], out=np.zeros(k), where=conflicts < 0)
        return torch.from_numpy(weights.sum(0))
