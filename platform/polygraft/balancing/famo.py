"""Fast adaptive multitask optimization, Liu et al. 2023 (https://arxiv.org/abs/2306.03792), algorithm 1."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.own_steps import Learned
from polygraft.core.catalogue import Range

SMALLEST = 1e-8  # what a loss is lifted by before its logarithm, as in the authors' code; losses are >= 0


class FAMO(Weighting):
    """Let all losses fall at the same rate: look at how much each log loss fell, and lean on those that fell least.

    z = softmax(xi); weights c z_k / L_k with c = 1 / sum_k (z_k / L_k). After the update, xi takes an Adam step against
    the gradient of softmax along (log L before - log L after), with weight decay, as the authors' code does.

    lr: Adam's step on xi. decay: its weight decay, gamma in the paper.
    """

    needs = "losses"
    heads = "weighted"
    observes = True
    cost = "one forward more, without gradient"

    before: Tensor

    def __init__(
        self, tasks: int, /, lr: Annotated[float, Range(above=0)] = 0.025, decay: Annotated[float, Range(min=0)] = 1e-3
    ) -> None:
        super().__init__()
        self.logits = Learned(torch.zeros(tasks), lr=lr, decay=decay)
        self.register_buffer("before", torch.ones(tasks, dtype=torch.float64))

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """[K]."""
        losses = tasks.losses.clamp(min=0) + SMALLEST
        self.before[tasks.index] = losses
        shares = self.logits.value[tasks.index].softmax(0) / losses
        return shares / shares.sum()

    def observe(self, losses: Tensor, index: Tensor) -> None:
        """Step xi by how much each log loss fell."""
        fell = self.before[index].log() - (losses.clamp(min=0) + SMALLEST).log()
        shares = self.logits.value[index].softmax(0)
        self.logits.step(shares * (fell - shares @ fell), index)  # the softmax's Jacobian times `fell`
