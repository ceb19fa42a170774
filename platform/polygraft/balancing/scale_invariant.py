"""Scale-invariant sum of log losses, the baseline SI of Navon et al. 2022 (https://arxiv.org/abs/2202.01017), section 5."""

from __future__ import annotations

from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting

SMALLEST = 1e-8  # a loss below, of 0, or negative, weighs 1e8


class ScaleInvariant(Weighting):
    """Differentiate sum_k log L_k: a factor before a loss changes nothing.

    For losses > 0. One of 0 has no gradient as a rule, whatever it weighs; none weighs more than 1e8.
    """

    needs = "losses"
    heads = "weighted"

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """1 / L_k [K]."""
        return 1 / tasks.losses.clamp(min=SMALLEST)
