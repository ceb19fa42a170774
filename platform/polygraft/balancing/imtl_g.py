"""Impartial multi-task learning by gradients, Liu et al. 2021 (https://openreview.net/forum?id=IMPnRXEWpvr), equation 6."""

from __future__ import annotations

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.unit_gradients import impartial


class IMTLG(Weighting):
    """The step whose projections onto all tasks' gradients are equally long; weights sum to 1.

    In mode `features` it is the paper's, whose gradients are those by the features. The paper's closed form needs a matrix
    that can be inverted; here dependent gradients do, too (as in Quinton and Rey 2024, appendix B), and where the sum of
    1 would turn the step against every task, the sum is -1.
    """

    needs = "gramian"
    modes = ("last_layer", "features", "parameters")
    cost = "a K x K solve; in parameters mode K backwards"

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K], of any sign."""
        return torch.from_numpy(impartial(tasks.gramian.numpy()))
