"""Stochastic direction-oriented multi-objective gradient descent, Xiao et al. 2023 (https://arxiv.org/abs/2305.18409), algorithm 1."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.simplex import onto_simplex, shares
from polygraft.core.catalogue import Range


class SDMGrad(Weighting):
    """The shortest combination of the gradients, pulled towards their mean; its weights learn on batches of their own.

    On the simplex w takes `steps` steps of momentum against G_2 G_3^T (w + lambda / K), from where the last step left it;
    then (w + lambda / K) / (1 + lambda) weighs the gradients of the first batch. The batches are independent, so that no
    noise is counted as length. As in the authors' code the product is divided by the square of its mean root diagonal,
    which makes lr mean the same whatever the gradients' scale, and all inner steps see the same two batches; where the
    diagonal is nowhere above 0 it is noise alone, and w stays. An absent task keeps its w; the others share what is left
    of 1.

    lambda: pull towards the mean gradient; 0 is MGDA, large is equal weights. lr, momentum, steps: of the walk of w.
    """

    needs = "gramian"
    modes = ("last_layer", "parameters")
    batches = 3
    cost = "three batches a step, 3 forwards, 3 backwards through the heads, one through the trunk; in parameters mode 2 K + 1"

    weights: Tensor

    def __init__(
        self,
        tasks: int,
        /,
        lambda_: Annotated[float, Range(min=0)] = 0.3,
        lr: Annotated[float, Range(above=0)] = 10.0,
        momentum: Annotated[float, Range(min=0, below=1)] = 0.5,
        steps: Annotated[int, Range(min=1)] = 20,
    ) -> None:
        super().__init__()
        self.pull, self.lr, self.momentum, self.steps = lambda_, lr, momentum, steps
        self.register_buffer("weights", torch.full((tasks,), 1 / tasks, dtype=torch.float64))

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K] on the simplex."""
        w, total = shares(self.weights, tasks.index)
        mean = torch.full_like(w, 1 / len(w))
        scale = tasks.cross.diagonal().clamp(min=0).sqrt().mean()
        if scale > 0:
            product, velocity = tasks.cross / scale / scale, torch.zeros_like(w)
            for _ in range(self.steps):
                velocity = self.momentum * velocity + product @ (w + self.pull * mean)
                w = onto_simplex(w - self.lr * velocity)
        self.weights[tasks.index] = total * w
        return (w + self.pull * mean) / (1 + self.pull)
