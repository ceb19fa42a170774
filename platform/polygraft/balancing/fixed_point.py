"""The fixed point G a = a^(-power) of bargaining and fairness, by Newton's method on the convex problem behind it."""

from __future__ import annotations

import numpy as np

from polygraft.balancing.solvers import Array
from polygraft.balancing.unit_gradients import unit

LARGEST = 1e3  # of b, see below
STEPS = 100


def fixed_point(gramian: Array, power: float = 1.0) -> Array:
    """a [K] > 0 with sum_j <g_k, g_j> a_j = a_k^(-power): the minimiser of a^T G a / 2 - sum_k (integral of a_k^(-power)).

    a = t b with t_k = |g_k|^(-2 / (1 + power)): M b = m b^(-power), M = t G t, m its diagonal; b = 1 for orthogonal
    gradients of any lengths. Where gradients cancel (sum_k w_k g_k = 0 with w >= 0) there is no fixed point: b^6 in the
    convex problem keeps b at about 1000 there, and moves b = 10 by 1e-12 of itself (power 1).
    A gradient of no length gets the mean of the other weights; ones if all are such.
    """
    lengths, cosines = unit(gramian)
    alive = lengths > 0
    if not alive.all():
        found = np.ones(len(lengths))
        if alive.any():
            found[alive] = fixed_point(gramian[np.ix_(alive, alive)], power)
            found[~alive] = found[alive].mean()
        return found
    mass = lengths ** (2 * (power - 1) / (1 + power))  # [K], M's diagonal
    roots = np.sqrt(mass)
    found = _newton(cosines * roots * roots[:, None], mass, power)
    return found * lengths ** (-2 / (1 + power))


def _newton(matrix: Array, mass: Array, power: float) -> Array:
    """Newton's steps, each halved until b stays positive and the convex problem's slope along it has not turned too far."""

    def slopes(here: Array) -> tuple[Array, Array]:
        pull, push = mass / (here if power == 1 else here**power), bound * here**5
        return matrix.dot(here) + (push - pull), (power * pull + 5 * push) / here

    bound = LARGEST ** -(5 + power) * mass  # as strong as the pull where b is the largest
    here = np.ones(len(mass))
    slope, bend = slopes(here)
    curved, diagonal = matrix.copy(), matrix.diagonal()
    bent = curved.reshape(-1)[:: len(mass) + 1]  # a view of its diagonal
    for _ in range(STEPS):
        np.add(diagonal, bend, out=bent)
        step = np.linalg.solve(curved, slope)
        share = step / here
        falls, largest = float(step.dot(slope)), float(share.max())
        reach = min(1.0, 0.9 / max(largest, 1e-300))
        there = here - reach * step
        slope, bend = slopes(there)
        while step.dot(slope) < -falls / 2 and reach > 1e-12:
            reach /= 2
            there = here - reach * step
            slope, bend = slopes(there)
        here = there
        if largest < 1e-8 and share.min() > -1e-8:  # it converges quadratically: what is left is below rounding
            break
    return here
