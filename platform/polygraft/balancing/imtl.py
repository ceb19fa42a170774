"""Impartial multi-task learning, Liu et al. 2021 (https://openreview.net/forum?id=IMPnRXEWpvr), equations 6 and 7, algorithm 1."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.own_steps import Learned
from polygraft.balancing.unit_gradients import impartial
from polygraft.core.catalogue import Range


class IMTL(Weighting):
    """Losses scaled by exp(s_k) with learned s_k, so that they come to be equally large; their gradients weighed by IMTL-G.

    s_k minimises exp(s_k) L_k - s_k; it is stepped here, by Adam, and not by the network's optimiser. A head follows its
    own task's loss unscaled (in the authors' code scaled, which Adam does not see).

    lr: Adam's step on the s_k.
    """

    needs = "gramian"
    modes = ("last_layer", "features", "parameters")
    cost = "a K x K solve; in parameters mode K backwards"

    def __init__(self, tasks: int, /, lr: Annotated[float, Range(above=0)] = 0.01) -> None:
        super().__init__()
        self.log_scale = Learned(torch.zeros(tasks), lr=lr)

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K] of the unscaled gradients, with s as it was before its own step."""
        scales = self.log_scale.value[tasks.index].exp()
        self.log_scale.step(scales * tasks.losses - 1, tasks.index)
        return scales * torch.from_numpy(impartial((tasks.gramian * scales * scales[:, None]).numpy()))
