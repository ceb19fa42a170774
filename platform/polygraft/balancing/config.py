"""Conflict-free inverse gradients, Liu et al. 2024 (https://arxiv.org/abs/2408.11104), equations 2 and 3."""

from __future__ import annotations

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.unit_gradients import equal_angles, unit


class ConFIG(Weighting):
    """The direction that has the same cosine with every task's gradient, as long as the sum of their projections onto it.

    The authors take the pseudo-inverse of the unit gradients, here that of their cosines, which is the same vector. Where
    gradients leave no such direction it is the one nearest to it by least squares.
    """

    needs = "gramian"
    modes = ("last_layer", "parameters")
    cost = "K x K eigenvectors; in parameters mode K backwards"

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K], of any sign."""
        lengths, cosines = unit(tasks.gramian.numpy())
        shares = equal_angles(cosines, lengths > 0)
        projections = cosines @ shares  # of the unit gradients, times the direction's length
        square = float(shares @ projections)
        factor = float(lengths @ projections) / square if square > 0 else 1.0
        return torch.from_numpy(factor * shares / (lengths + (lengths == 0)))
