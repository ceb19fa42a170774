"""Multi-task learning as a bargaining game, Navon et al. 2022 (https://arxiv.org/abs/2202.01017), equation 2, algorithm 1."""

from __future__ import annotations

from math import sqrt
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.fixed_point import fixed_point
from polygraft.core.catalogue import Range


class NashMTL(Weighting):
    """The tasks' bargain on a common step: G a = 1 / a, the product of their gains at its largest.

    As in the authors' code, G is divided by its Frobenius norm |G| first, and the step is clipped. They multiply by |G| again in
    their constraints, so that an unclipped step is K^(1/2) long, and a clipped one max_norm, however short the gradients are;
    here it is |G|^(1/2) times as long, and so shrinks with them. They take up to 20 convex programmes that begin at the last
    step's weights; here it is solved to the end. They clip the shared gradient alone, here the weights, and so the heads with
    it; its length is measured where the mode looks. Where gradients cancel no bargain exists: weights stay within 1000 over
    the gradient's length.

    max_norm: what the step is clipped to; 0 is no clipping, a step of length (K |G|)^(1/2).
    """

    needs = "gramian"
    modes = ("last_layer", "parameters")
    heads = "weighted"
    cost = "a few K x K solves; in parameters mode K backwards"

    def __init__(self, max_norm: Annotated[float, Range(min=0)] = 1.0) -> None:
        super().__init__()
        self.max_norm = max_norm

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K] > 0."""
        gramian = tasks.gramian.numpy()
        size = float(np.linalg.norm(gramian))
        weights = fixed_point(gramian) * (sqrt(size) if size > 0 else 1.0)
        length = sqrt(max(float(weights @ gramian @ weights), 0.0))
        return torch.from_numpy(weights * (self.max_norm / length) if 0 < self.max_norm < length else weights)
