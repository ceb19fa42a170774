"""Standard equal weighting: the plain sum of the losses, the baseline of Caruana 1997 (https://doi.org/10.1023/A:1007379606734)."""

from __future__ import annotations

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting


class Equal(Weighting):
    """Every task counts 1: the sum of the mean losses is what is differentiated."""

    needs = "losses"
    heads = "weighted"

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Ones [K]."""
        return torch.ones_like(tasks.losses)
