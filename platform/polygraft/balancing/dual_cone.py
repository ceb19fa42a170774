"""Projections onto the dual cone of the gradients, where no task is worse off: non-negative quadratic programmes with one Gramian."""

from __future__ import annotations

import numpy as np

from polygraft.balancing.solvers import ROUNDING, Array
from polygraft.balancing.unit_gradients import unit

EXCHANGES = 12  # exchanges of whole sets before a row is done one task at a time
WILD = 100.0  # a weight beyond which an exchange that went in circles is no place to begin


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
    here, held = found, slopes < -ROUNDING  # [left, K]: w; where w > 0 and y = 0
    diagonal = np.arange(len(cosines))
    for _ in range(EXCHANGES):
        mask = held.astype(np.float64)
        square = cosines * mask[:, None, :]
        square *= mask[:, :, None]
        square[:, diagonal, diagonal] = 1.0 + ROUNDING
        solved = np.linalg.solve(square, (slopes[left] * -mask)[:, :, None])
        here = solved[:, :, 0].astype(np.float64, copy=False)
        outside = slopes[left] + here @ cosines
        wrong = np.where(held, here, outside) < -10 * ROUNDING * (1 + np.abs(here).max(1, keepdims=True))
        going = wrong.any(1)
        found[left[~going]] = np.maximum(here[~going], 0.0)
        left, held, here = left[going], held[going] ^ wrong[going], here[going]
        if not len(left):
            return found
    begun = np.where(held & (here > 0) & (here < WILD), here, 0.0)
    for row, weights in zip(left, begun, strict=True):
        found[row] = _one_by_one(cosines, slopes[row], weights)
    return found


def _one_by_one(cosines: Array, slopes: Array, weights: Array) -> Array:
    """Lawson and Hanson 1974, "Solving Least Squares Problems", chapter 23, on the Gramian, from `weights` [K] >= 0 on."""
    active = np.flatnonzero(weights > 0).tolist()
    for _ in range(10 * len(slopes)):
        _settle(cosines, slopes, weights, active)
        outside = slopes + cosines @ weights
        outside[active] = 0.0
        enters = int(outside.argmin())
        if outside[enters] >= -10 * ROUNDING * (1 + weights.max()):
            break
        active.append(enters)
    return weights


def _settle(cosines: Array, slopes: Array, weights: Array, active: list[int]) -> None:
    """Walk to the minimum over `active`; who would go below 0 on the way leaves it."""
    while active:
        part = cosines[active][:, active] + ROUNDING * np.eye(len(active))
        there, here = np.linalg.solve(part, -slopes[active]), weights[active]
        falling = there <= 0
        if not falling.any():
            weights[active] = there
            return
        steps = here[falling] / np.maximum(here[falling] - there[falling], np.finfo(np.float64).tiny)
        here = np.maximum(here + steps.min() * (there - here), 0.0)
        here[np.flatnonzero(falling)[steps.argmin()]] = 0.0
        weights[active] = here
        active[:] = [k for k in active if weights[k] > 0]
