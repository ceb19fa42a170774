"""Independent component alignment, Senushkin et al. 2023 (https://arxiv.org/abs/2305.19000), algorithm 1."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.unit_gradients import components


class AlignedMTL(Weighting):
    """The mean of the gradients once their principal components are made equally long: a system of condition number 1.

    In mode `features` this is the paper's Aligned-MTL-UB. Components whose eigenvalue is rounding are left out, as by the
    authors. They weigh the aligned gradients as asked, 1 / K here (LibMTL: 1, K times the step).

    scale_mode: how long they are made: the square root of the least, the median or the mean eigenvalue.
    """

    needs = "gramian"
    modes = ("last_layer", "features", "parameters")
    cost = "K x K eigenvectors; in parameters mode K backwards"

    def __init__(self, scale_mode: Literal["min", "median", "rmse"] = "min") -> None:
        super().__init__()
        self.scale_mode = scale_mode

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K], of any sign."""
        gramian = tasks.gramian
        values, vectors = map(torch.from_numpy, components(gramian.numpy()))
        if not len(values):
            return torch.full_like(tasks.losses, 1 / len(gramian))
        length = {"min": values.min(), "median": values.median(), "rmse": values.mean()}[self.scale_mode].sqrt()
        return length * (vectors / values.sqrt()) @ vectors.mean(0)
