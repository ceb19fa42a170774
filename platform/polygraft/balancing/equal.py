"""Standard equal weighting: the plain sum of the losses, the baseline of Caruana 1997 (https://doi.org/10.1023/A:1007379606734)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting


class Equal(Weighting):
    """Every task counts the same: the sum of the mean losses, or their mean, is what is differentiated.

    reduction: a mean is over the tasks that are present, so that its step does not grow with their number.
    """

    needs = "losses"
    heads = "weighted"

    def __init__(self, reduction: Literal["sum", "mean"] = "sum") -> None:
        super().__init__()
        self.share = reduction == "mean"

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Ones [K], or 1 / K each."""
        weights = torch.ones_like(tasks.losses)
        return weights / len(weights) if self.share else weights
