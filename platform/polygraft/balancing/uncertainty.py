"""Homoscedastic uncertainty, Kendall et al. 2018 (https://arxiv.org/abs/1705.07115), equations 7 and 10."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.own_steps import Learned
from polygraft.core.catalogue import Range


class Uncertainty(Weighting):
    """Learn each task's noise s_k = log variance; what is minimised is sum_k exp(-s_k) L_k / 2 + s_k / 2.

    The factor 1/2 stands before every loss, as in the paper's regression and in LibMTL; the s_k are stepped here, by
    Adam from the global losses, and not by the network's optimiser.

    lr: Adam's step on the s_k.
    """

    needs = "losses"
    heads = "weighted"

    def __init__(self, tasks: int, /, lr: Annotated[float, Range(above=0)] = 0.01) -> None:
        super().__init__()
        self.log_variance = Learned(torch.zeros(tasks), lr=lr)

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """exp(-s_k) / 2 [K], with s as it was before its own step."""
        weights = (-self.log_variance.value[tasks.index]).exp() / 2
        self.log_variance.step(0.5 - weights * tasks.losses, tasks.index)
        return weights
