"""Projections onto the dual cone of the gradients, where no task is worse off: non-negative quadratic programmes with one Gramian."""

from __future__ import annotations

import numpy as np

from polygraft.balancing.solvers import ROUNDING, Array
from polygraft.balancing.unit_gradients import unit

EXCHANGES = 12  # exchanges of whole sets before a row is done one task at a time


def project(gramian: Array, wanted: Array) -> Array:
    """v [M, K] >= wanted [M, K] >= 0, row by row the one for which v^T G v is least.

    sum_k v_k g_k is the vector nearest to sum_k wanted_k g_k that has no negative inner product with any g_k (Quinton and
    Rey 2024, proposition 1). With v = u + w: w >= 0, y = G (u + w) >= 0, w y = 0. All rows are solved side by side, by
    exchanging all tasks that are on the wrong side at once (Judice and Pires 1994, block principal pivoting); a row where
    that goes in circles is done by Lawson and Hanson's active set, which ends after finitely many steps.
    """
    lengths, cosines = unit(gramian)
    slopes = (wanted * lengths) @ cosines  # [M, K]
    alive = lengths > 0
    slopes[:, ~alive] = 0.0
    sizes = np.abs(wanted * lengths).max(1, initial=0.0)
    added = np.zeros_like(slopes)
    rows = np.flatnonzero((slopes < -ROUNDING * sizes[:, None]).any(1))
    if len(rows):
        scaled = slopes[rows] / sizes[rows, None]
        added[rows] = _exchange(cosines, scaled) * sizes[rows, None]
    return wanted + np.divide(added, lengths, out=np.zeros_like(added), where=alive)


def _exchange(cosines: Array, slopes: Array) -> Array:
    """w [M, K] >= 0 with y = slopes + C w >= 0 and w y = 0."""
    found, left = np.zeros_like(slopes), np.arange(len(slopes))
    held = slopes < -ROUNDING  # [left, K], where w > 0 and y = 0
    diagonal = np.arange(len(cosines))
    for _ in range(EXCHANGES):
        mask = held.astype(np.float64)
        square = cosines * mask[:, None, :]
        square *= mask[:, :, None]
        square[:, diagonal, diagonal] = 1.0 + ROUNDING
        here = np.linalg.solve(square, (slopes[left] * -mask)[:, :, None])[:, :, 0]
        outside = slopes[left] + here @ cosines
        wrong = np.where(held, here, outside) < -10 * ROUNDING * (1 + np.abs(here).max(1, keepdims=True))
        going = wrong.any(1)
        good = ~going
        found[left[good]] = np.maximum(here[good], 0.0)
        left, held = left[going], held[going] ^ wrong[going]
        if not len(left):
            return found
    for row in left:
        found[row] = _one_by_one(cosines, slopes[row])
    return found


def _one_by_one(cosines: Array, slopes: Array) -> Array:
    """Lawson and Hanson 1974, "Solving Least Squares Problems", chapter 23, on the Gramian."""
    weights = np.zeros(len(slopes))
    active: list[int] = []
    for _ in range(10 * len(slopes)):
        outside = slopes + cosines @ weights
        outside[active] = 0.0
        enters = int(outside.argmin())
        if outside[enters] >= -10 * ROUNDING * (1 + weights.max()):
            break
        active.append(enters)
        while True:
            part = cosines[np.ix_(active, active)] + ROUNDING * np.eye(len(active))
            there, here = np.linalg.solve(part, -slopes[active]), weights[active]
            if (there > 0).all():
                weights[active] = there
                break
            falling = there <= 0
            steps = here[falling] / np.maximum(here[falling] - there[falling], np.finfo(np.float64).tiny)
            here = np.maximum(here + steps.min() * (there - here), 0.0)
            here[np.flatnonzero(falling)[steps.argmin()]] = 0.0
            weights[active] = here
            active = [k for k in active if weights[k] > 0]
    return weights
