"""Small exact solvers on a Gramian [K, K] over the simplex, in numpy and float64: K is the number of tasks, so no step notices them."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Aim = Callable[[list[int], Array], Array]
"""The best point, as weights, of the affine hull of these tasks; its second argument is where the walk stands."""

ROUNDING = 1e-12  # share of the squared length by which a task may lie below the hyperplane
STATIONARY = 1e-6  # share of the lengths of what is summed below which a sum counts as zero


def min_norm(gramian: Array) -> Array:
    """Weights [K] on the simplex for which |sum_k w_k g_k| is least.

    K = 2 in closed form (Sener and Koltun 2018, algorithm 2); else Wolfe 1976, "Finding the nearest point in a polytope":
    an active set of tasks whose affine hull's nearest point is found exactly; a task enters while it lies below the
    hyperplane through the current point, one leaves when its weight would be negative. Ends after finitely many steps.
    """
    scale = float(np.diagonal(gramian).max(initial=0.0))
    if not scale > 0:
        return np.full(len(gramian), 1 / len(gramian))
    gram = np.asarray(gramian, dtype=np.float64) / scale
    return _between_two(gram) if len(gram) == 2 else _wolfe(gram)


def _between_two(gram: Array) -> Array:
    apart = gram[0, 0] + gram[1, 1] - 2 * gram[0, 1]  # |g_0 - g_1|^2
    if apart <= 0:
        return np.array([0.5, 0.5])
    first = float(np.clip((gram[1, 1] - gram[0, 1]) / apart, 0.0, 1.0))
    return np.array([first, 1 - first])


def _wolfe(gram: Array) -> Array:
    """A step that no longer shortens the vector, in float64, ends it: what it had before is returned."""

    hulls = Hulls(gram)

    def aim(active: list[int], _: Array) -> Array:
        return hulls.nearest(active)

    active, weights = _begin(aim, len(gram))
    best, shortest = weights, np.inf
    while True:
        slopes = gram @ weights
        square = float(weights @ slopes)
        if square >= shortest:
            return best
        best, shortest = weights, square
        enters = int(slopes.argmin())
        if square - slopes[enters] <= ROUNDING * square or enters in active:
            return best
        active.append(enters)
        weights = _walk(aim, active, weights)


def _begin(aim: Aim, tasks: int) -> tuple[list[int], Array]:
    """A face to begin with: of all tasks, and of what is left while some weight is negative, drop those at once."""
    active = list(range(tasks))  # most tasks stay, as a rule: beginning with all saves their entering one by one
    while True:
        there = aim(active, np.full(len(active), 1 / len(active)))
        if (there > 0).all():
            break
        active = [k for k, weight in zip(active, there, strict=True) if weight > 0]
    found = np.zeros(tasks)
    found[active] = there / there.sum()
    return active, found


def _walk(aim: Aim, active: list[int], weights: Array) -> Array:
    """Wolfe's minor cycle: walk towards the affine hull's best point; who would go below 0 on the way leaves `active`."""
    here = weights[active]
    while True:
        there = aim(active, here)
        falling = there <= 0
        if not falling.any():
            here = there
            break
        steps = np.full(len(active), np.inf)
        gaps = np.maximum(here[falling] - there[falling], np.finfo(np.float64).tiny)  # 0 / 0: it leaves at once
        steps[falling] = here[falling] / gaps
        first = int(steps.argmin())
        here = np.maximum(here + steps[first] * (there - here), 0.0)
        here[first] = 0.0
        active[:] = [k for k, weight in zip(active, here, strict=True) if weight > 0]
        here = here[here > 0]
    found = np.zeros(len(weights))
    found[active] = here / here.sum()
    return found


class Hulls:
    """Affine hulls of some of the gradients at a time, solved for unit gradients: a long one hides no short one."""

    def __init__(self, gram: Array) -> None:
        """gram: the longest gradient has length 1."""
        self.shorts = 1 / np.maximum(np.sqrt(np.diagonal(gram)), ROUNDING)
        self.cosines = gram * self.shorts * self.shorts[:, None]

    def bordered(self, active: list[int], wanted: Array) -> Array:
        """(u 1 + G) x = wanted [n, active], for some u > 0: regular for affinely independent gradients, also where G is not."""
        shorts = self.shorts[active]
        shares = shorts / sqrt(float(shorts @ shorts))
        square = self.cosines[active][:, active] + shares * shares[:, None]
        found: Array = solve(square, (wanted * shorts).T).T * shorts
        return found

    def nearest(self, active: list[int]) -> Array:
        """Weights [active] that sum to 1, of any sign, of the shortest combination: (u 1 + G) v = 1 and w = v / sum v."""
        solved = self.bordered(active, np.ones((1, len(active))))[0]
        found: Array = solved / solved.sum()
        return found


def solve(square: Array, wanted: Array) -> Array:
    """square x = wanted [K, n]. Where rounding or equal gradients leave it singular, least squares serve."""
    try:
        solved: Array = np.linalg.solve(square, wanted).astype(np.float64, copy=False)
        off = np.abs(square @ solved - wanted).max(0)
        if not (off <= 1e-9 * np.abs(wanted).max(0)).all():
            raise np.linalg.LinAlgError
    except np.linalg.LinAlgError:
        solved = np.linalg.lstsq(square, wanted, rcond=None)[0].astype(np.float64, copy=False)
    return solved


def ball(gramian: Array, radius: float) -> Array:
    """m [K] such that d = g_0 + sum_k m_k g_k maximises min_k <g_k, d> with |d - g_0| <= radius |g_0|; g_0 is the mean.

    By duality m = w r / |g_w|, r = radius |g_0|, where w on the simplex minimises <g_w, g_0> + r |g_w| (Liu et al. 2021,
    equation 3). Solved by Wolfe's active set: on an affine hull the minimiser is closed-form, w = p + s q, with p the
    hull's nearest point, q the way along it against g_0, s = |g_p| / sqrt(r^2 - |g_q|^2); where the root is none, q itself
    descends for ever, and a task leaves. So m = q + p / s. Where g_p = 0, a Pareto stationary point, p / s is noise and
    left out: each gradient counts as having STATIONARY of its length in a direction of its own.
    """
    tasks = len(gramian)
    scale = float(np.diagonal(gramian).max(initial=0.0))
    mean = gramian.sum(1) / tasks / scale if scale > 0 else np.zeros(tasks)  # <g_k, g_0>
    reach = radius * sqrt(max(float(mean.mean()), 0.0))
    if not reach > ROUNDING:
        return np.zeros(tasks)
    gram = gramian / scale
    ridge = STATIONARY**2 * np.maximum(np.diagonal(gram), STATIONARY**2)
    ridged = gram + np.diag(ridge)
    hulls = Hulls(ridged)
    stretched, added = np.zeros(tasks), np.zeros(tasks)  # q + p / s, and the same without noise

    def aim(active: list[int], here: Array) -> Array:
        part, toward = ridged[active][:, active], -mean[active]
        nearest, along = hulls.bordered(active, np.stack([np.ones(len(active)), toward]))
        nearest = nearest / nearest.sum()
        along = along - along.sum() * nearest
        noise = float(nearest**2 @ ridge[active])
        square, left = max(float(nearest @ part @ nearest), noise), reach**2 - float(along @ part @ along)
        if left <= ROUNDING * reach**2 and (along < 0).any():
            beyond: Array = here - 2 * along / along.min()  # of the border: along.min() < 0, and here <= 1
            return beyond
        step = sqrt(square / max(left, ROUNDING * reach**2))
        stretched[:], added[:] = 0.0, 0.0
        stretched[active] = along + nearest / step
        heard = max(1 - 2 * noise / square, 0.0)  # 0 where p is the ridge's alone
        added[active] = along + heard * nearest / step
        there: Array = nearest + step * along
        return there

    active, weights = _begin(aim, tasks)
    best, least = added.copy(), np.inf
    while True:
        value = float(mean @ weights) + reach * sqrt(max(float(weights @ ridged @ weights), 0.0))
        if value >= least:
            return best
        best, least = added.copy(), value
        slopes = mean + ridged @ stretched
        enters = int(slopes.argmin())
        if float(weights @ slopes) - slopes[enters] <= ROUNDING or enters in active:
            return best
        active.append(enters)
        weights = _walk(aim, active, weights)
