"""Fair resource allocation in multi-task learning, Ban and Ji 2024 (https://arxiv.org/abs/2402.15638), equation 4, algorithm 1."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.fixed_point import fixed_point
from polygraft.core.catalogue import Range


class FairGrad(Weighting):
    """The step that is alpha-fair in what each task gains from it: G a = a^(-1 / alpha).

    alpha = 1 is proportional fairness, Nash-MTL's bargain without its scaling; large alpha is max-min fairness, towards
    MGDA. The authors fit the equation by least squares from 1 / K on, and clip the shared gradient in their loop; here it
    is solved to the end, and clipping is the loop's. A step has the length (sum_k a_k^(1 - 1 / alpha))^(1/2). Where
    gradients cancel no solution exists: weights stay finite (`fixed_point.py`).
    """

    needs = "gramian"
    modes = ("last_layer", "parameters")
    cost = "a few K x K solves; in parameters mode K backwards"

    def __init__(self, alpha: Annotated[float, Range(min=0.5, max=10)] = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K] > 0."""
        return torch.from_numpy(fixed_point(tasks.gramian.numpy(), 1 / self.alpha))
