"""The nearest point of the simplex, Duchi et al. 2008 (https://doi.org/10.1145/1390156.1390191), figure 1."""

from __future__ import annotations

import torch
from torch import Tensor


def onto_simplex(point: Tensor) -> Tensor:
    """[K]: the nearest point to [K] whose numbers are >= 0 and sum to 1."""
    falling = point.sort(descending=True).values
    excess = (falling.cumsum(0) - 1) / torch.arange(1, len(point) + 1, dtype=point.dtype)
    return (point - excess[(falling > excess).nonzero()[-1]]).clamp(min=0)


def shares(weights: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Of weights [tasks] on the simplex, the present tasks' made to sum to 1, [K], and what they summed to.

    Weights whose present part is 0 begin anew, equal.
    """
    mine = weights[index]
    total = mine.sum()
    return (mine / total if total > 0 else torch.full_like(mine, 1 / len(mine))), total
