"""Gradient normalization, Chen et al. 2018 (https://arxiv.org/abs/1711.02257), equations 1 and 2, algorithm 1."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.own_steps import Learned
from polygraft.core.catalogue import Range


class GradNorm(Weighting):
    """Learn weights under which all tasks' gradients are equally long, longer for those whose loss fell less.

    Minimised: sum_k | w_k |g_k| - mean(w |g|) r_k^alpha |, the goal held fixed; r_k is what is left of the task's first
    loss, over the mean of that. Weights sum to K: K softmax(z), with z stepped by Adam, so that none turns negative (the
    paper steps w itself and rescales it; LibMTL as here). `last_layer` is the paper's choice of W.

    alpha: how strongly slow tasks are pulled. lr: Adam's step on z.
    """

    needs = "gramian"
    modes = ("last_layer", "parameters")
    heads = "weighted"
    cost = "K lengths; in parameters mode K backwards"

    first: Tensor
    known: Tensor

    def __init__(
        self, tasks: int, /, alpha: Annotated[float, Range(min=0)] = 1.5, lr: Annotated[float, Range(above=0)] = 0.025
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.logits = Learned(torch.zeros(tasks), lr=lr)
        self.register_buffer("first", torch.zeros(tasks, dtype=torch.float64))
        self.register_buffer("known", torch.zeros(tasks, dtype=torch.bool))

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K] that sum to K, with z as it was before its own step."""
        index = tasks.index
        self.first[index] = torch.where(self.known[index], self.first[index], tasks.losses)
        self.known[index] = True
        shares = self.logits.value[index].softmax(0)
        lengths = tasks.gramian.diagonal().clamp(min=0).sqrt() * len(index)
        norms = shares * lengths
        off = norms - norms.mean() * self._rates(tasks) ** self.alpha
        slope = off.sign() * lengths
        self.logits.step(shares * (slope - shares @ slope), index)  # the softmax's Jacobian times `slope`
        return shares * len(index)

    def _rates(self, tasks: TaskGradients) -> Tensor:
        """r [K]: 1 for a task that learned as much as the mean; losses are >= 0."""
        first = self.first[tasks.index]
        left = torch.where(first > 0, tasks.losses / first, torch.ones_like(first)).clamp(min=0)
        return left / left.mean() if left.mean() > 0 else torch.ones_like(left)
