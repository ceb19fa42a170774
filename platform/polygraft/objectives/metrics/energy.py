"""Energy distance between two sets of rows, Szekely and Rizzo 2013 (https://doi.org/10.1016/j.jspi.2013.03.018), definition 2."""

from __future__ import annotations

import torch
from torch import Tensor


def energy_distance(one: Tensor, other: Tensor) -> float:
    """2 E|x - y| - E|x - x'| - E|y - y'| of rows [n, units] and [m, units]; 0 where both are alike."""
    between, within, beyond = (torch.cdist(a, b).mean() for a, b in ((one, other), (one, one), (other, other)))
    return float(2 * between - within - beyond)
