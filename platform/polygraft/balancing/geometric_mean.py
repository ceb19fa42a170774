"""Geometric loss strategy (GLS), Chennupati et al. 2019 (https://arxiv.org/abs/1904.08492)."""

from __future__ import annotations

from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting

SMALLEST = 1e-8  # a loss below counts as this: at a loss of 0 the mean's slope would be infinite


class GeometricMean(Weighting):
    """Differentiate the geometric mean of the present tasks' losses, (prod_k L_k)^(1/K).

    For losses > 0; one below 1e-8, negative ones too, counts as that. The product is summed as logarithms, so that many
    tasks do not overflow; the authors multiply.
    """

    needs = "losses"
    heads = "weighted"

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Mean / (K L_k) [K]."""
        losses = tasks.losses.clamp(min=SMALLEST)
        return losses.log().mean().exp() / (len(losses) * losses)
