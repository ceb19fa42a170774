"""Projection onto the dual cone, Lopez-Paz and Ranzato 2017 (https://arxiv.org/abs/1706.08840), equation 11, of the mean gradient."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.dual_cone import project


class DualProj(Weighting):
    """The step nearest to the mean gradient that harms no task.

    Gradient episodic memory's projection, with all tasks as constraints and the mean of all in place of the newest, as
    TorchJD has it; but nothing is added to the diagonal of the Gramian here.

    reduction: `mean` or `sum` of the gradients.
    """

    needs = "gramian"
    modes = ("last_layer", "parameters")
    cost = "a quadratic programme of K numbers; in parameters mode K backwards"

    def __init__(self, reduction: Literal["mean", "sum"] = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K], at least 1 / K, or 1, each."""
        count = len(tasks.index)
        weights = torch.from_numpy(project(tasks.gramian.numpy(), np.ones((1, count)))[0])
        return weights / count if self.reduction == "mean" else weights
