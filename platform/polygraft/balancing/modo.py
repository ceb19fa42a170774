"""Multi-objective gradient with double sampling, Chen et al. 2023 (https://arxiv.org/abs/2305.20057), algorithm 1."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.simplex import onto_simplex, shares
from polygraft.core.catalogue import Range


class MoDo(Weighting):
    """Walk towards the shortest combination of the gradients; two independent batches keep the walk unbiased.

    weights <- projection on the simplex of weights - gamma (G_1 G_2^T + rho) weights, where G_1 and G_2 are the gradients
    on the two batches: the square of one batch's would count its noise as length. The mean of both batches' gradients is
    followed, as in the paper and in the authors' code without `three_grads`. An absent task keeps its weight; the others
    share what is left of 1.

    gamma: step on the weights; it means less the shorter the gradients are. rho: pull of the weights to equal ones.
    """

    needs = "gramian"
    modes = ("last_layer", "parameters")
    batches = 2
    follows = 2
    cost = "two batches a step, 2 forwards and 2 backwards; in parameters mode 2 K backwards"

    weights: Tensor

    def __init__(
        self,
        tasks: int,
        /,
        gamma: Annotated[float, Range(above=0)] = 0.1,
        rho: Annotated[float, Range(min=0)] = 0.1,
    ) -> None:
        super().__init__()
        self.gamma, self.rho = gamma, rho
        self.register_buffer("weights", torch.full((tasks,), 1 / tasks, dtype=torch.float64))

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K] on the simplex."""
        before, total = shares(self.weights, tasks.index)
        weights = onto_simplex(before - self.gamma * (tasks.cross @ before + self.rho * before))
        self.weights[tasks.index] = total * weights
        return weights
