"""Impartial multi-task learning, the loss balance IMTL-L, Liu et al. 2021 (https://openreview.net/forum?id=IMPnRXEWpvr)."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.own_steps import Learned
from polygraft.core.catalogue import Range


class IMTLL(Weighting):
    """Learn a scale for each task so that all scaled losses become 1: sum_k exp(s_k) L_k - s_k is minimised.

    For losses > 0: the scale of a loss that stays at 0, or below, grows without bound, by about `lr` a step. The s_k are
    stepped here, by Adam from the global losses, and not by the network's optimiser, as the authors do.

    lr: Adam's step on the s_k.
    """

    needs = "losses"
    heads = "weighted"

    def __init__(self, tasks: int, /, lr: Annotated[float, Range(above=0)] = 0.01) -> None:
        super().__init__()
        self.log_scale = Learned(torch.zeros(tasks), lr=lr)

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """exp(s_k) [K], with s as it was before its own step."""
        weights = self.log_scale.value[tasks.index].exp()
        self.log_scale.step(weights * tasks.losses - 1, tasks.index)
        return weights
