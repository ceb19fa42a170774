"""Unconflicting projection of gradients, Quinton and Rey 2024 (https://arxiv.org/abs/2406.16232), section 2.2, proposition 1."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.dual_cone import project


class UPGrad(Weighting):
    """Project each task's gradient onto the cone of steps that harm no task, exactly; then average.

    TorchJD, the authors' library, adds 1e-4 to the diagonal of the normalised Gramian before it projects; here nothing is
    added.

    reduction: `mean`, as the authors, or `sum`; two tasks' sum is PCGrad.
    """

    needs = "gramian"
    modes = ("last_layer", "parameters")
    cost = "K quadratic programmes of K numbers; in parameters mode K backwards"

    def __init__(self, reduction: Literal["mean", "sum"] = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K], at least 1 / K, or 1, each."""
        count = len(tasks.index)
        weights = torch.from_numpy(project(tasks.gramian.numpy(), np.eye(count))).sum(0)
        return weights / count if self.reduction == "mean" else weights
