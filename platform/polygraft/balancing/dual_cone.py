"""Projections onto the dual cone of the gradients, where no task is worse off: non-negative quadratic programmes with one Gramian."""

from __future__ import annotations

import numpy as np

from polygraft.balancing.solvers import ROUNDING, Array
from polygraft.balancing.unit_gradients import unit


def project(gramian: Array, wanted: Array) -> Array:
    """v [M, K] >= wanted [M, K] >= 0, row by row the one for which v^T G v is least.

    sum_k v_k g_k is the vector nearest to sum_k wanted_k g_k that has no negative inner product with any g_k (Quinton and
    Rey 2024, proposition 1). With v = u + w: w >= 0, y = G (u + w) >= 0, w y = 0.
    """
    lengths, cosines = unit(gramian)
    slopes = (wanted * lengths) @ cosines  # [M, K]
    sizes = np.abs(wanted * lengths).max(1, initial=0.0)[:, None]
    if not (slopes < -ROUNDING * sizes).any():
        return wanted.copy()
    from polygraft.balancing.kernels.active_set import non_negative  # numba; not all steps have a conflict

    alive = lengths > 0
    slopes = np.where(alive, slopes, 0.0) / np.where(sizes > 0, sizes, 1.0)
    added = np.empty_like(slopes)
    non_negative(cosines, slopes, added)
    found: Array = wanted + added * sizes / np.where(alive, lengths, 1.0)
    return found
