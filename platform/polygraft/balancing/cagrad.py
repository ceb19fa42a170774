"""Conflict-averse gradient descent, Liu et al. 2021 (https://arxiv.org/abs/2110.14048), algorithm 1."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.solvers import ball
from polygraft.core.catalogue import Range


class CAGrad(Weighting):
    """The step that does most for the worst task among those within a ball around the mean gradient.

    The authors minimise the dual by SLSQP with 1e-8 under its roots; here it is exact. Where they divide by the length of
    a gradient that vanishes (a Pareto stationary point), this is the limit: what is left of the mean gradient.

    c: radius of the ball as a share of the mean gradient's length; 0 is plain averaging, from 1 on no task is worse off.
    rescale: what the step is divided by: `square` 1 + c^2, as the authors' code of real tasks; `linear` 1 + c, its longest.
    """

    needs = "gramian"
    modes = ("last_layer", "parameters")
    cost = "a K x K solve; in parameters mode K backwards"

    def __init__(
        self, c: Annotated[float, Range(min=0)] = 0.4, rescale: Literal["none", "square", "linear"] = "none"
    ) -> None:
        super().__init__()
        self.c, self.divisor = c, {"none": 1.0, "square": 1 + c**2, "linear": 1 + c}[rescale]

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K]: the mean's 1 / K, and what the worst tasks get on top."""
        added = torch.from_numpy(ball(tasks.gramian.numpy(), self.c))
        return (1 / len(added) + added) / self.divisor
