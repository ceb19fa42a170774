"""Small exact solvers on a Gramian [K, K] over the simplex, in numpy and float64: K is the number of tasks, so no step notices them."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Tasks = NDArray[np.intp]
Aim = Callable[[Tasks, Array], Array]
"""The best point, as weights, of the affine hull of these tasks; its second argument is where the walk stands."""

ROUNDING = 1e-12  # share of the squared length by which a task may lie below the hyperplane
STATIONARY = 1e-6  # share of the lengths of what is summed below which a sum counts as zero
_TINY = float(np.finfo(np.float64).tiny)
_ONE = np.ones((1, 1))


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

    def aim(active: Tasks, _: Array) -> Array:
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
        if square - slopes[enters] <= ROUNDING * square or weights[enters] > 0:
            return best
        active, weights = _walk(aim, np.concatenate((active, [enters])), weights)


def _begin(aim: Aim, tasks: int) -> tuple[Tasks, Array]:
    """A face to begin with: of all tasks, and of what is left while some weight is negative, drop those at once."""
    active = np.arange(tasks)  # most tasks stay, as a rule: beginning with all saves their entering one by one
    while True:
        there = aim(active, np.full(len(active), 1 / len(active)))
        rising = there > 0
        if rising.all():
            break
        active = active[rising]
    return active, _spread(active, there, tasks)


def _walk(aim: Aim, active: Tasks, weights: Array) -> tuple[Tasks, Array]:
    """Wolfe's minor cycle: walk towards the affine hull's best point; who would go below 0 on the way leaves."""
    here = weights.take(active)
    while True:
        there = aim(active, here)
        falling = (there <= 0).nonzero()[0]
        if not len(falling):
            return active, _spread(active, there, len(weights))
        above = here.take(falling)
        steps = above / np.maximum(above - there.take(falling), _TINY)  # 0 / 0: it leaves at once
        first = int(steps.argmin())
        here = np.maximum(here + steps[first] * (there - here), 0.0)
        here[falling[first]] = 0.0
        active, here = active[here > 0], here[here > 0]


def _spread(active: Tasks, some: Array, tasks: int) -> Array:
    """[tasks]: `some` [active] made to sum to 1, and 0 for the others."""
    found = np.zeros(tasks)
    found[active] = some / some.sum()
    return found


class Hulls:
    """Affine hulls of some of the gradients at a time, solved for unit gradients: a long one hides no short one."""

    def __init__(self, gram: Array) -> None:
        """gram: the longest gradient has length 1."""
        self.shorts = 1 / np.maximum(np.sqrt(np.diagonal(gram)), ROUNDING)
        self.cosines = gram * self.shorts * self.shorts[:, None]

    def bordered(self, active: Tasks, wanted: Array) -> Array:
        """(u 1 + G) x = wanted [active, n], for some u > 0: regular for affinely independent gradients, also where G is not."""
        shorts = self.shorts.take(active)
        column = shorts[:, None]
        square = self.cosines.take(active, 0).take(active, 1)
        square += column * (shorts / shorts.dot(shorts))
        found: Array = solve(square, wanted * column) * column
        return found

    def nearest(self, active: Tasks) -> Array:
        """Weights [active] that sum to 1, of any sign, of the shortest combination: (u 1 + G) v = 1 and w = v / sum v."""
        solved = self.bordered(active, _ONE)[:, 0]
        found: Array = solved / solved.sum()
        return found


def solve(square: Array, wanted: Array) -> Array:
    """square x = wanted [K, n]. Where rounding or equal gradients leave it singular, least squares serve."""
    try:
        solved = np.asarray(np.linalg.solve(square, wanted), dtype=np.float64)
        off = square @ solved
        off -= wanted
        if (np.abs(off) <= 1e-9 * np.abs(wanted).max(0)).all():
            return solved
    except np.linalg.LinAlgError:
        pass
    return np.asarray(np.linalg.lstsq(square, wanted, rcond=None)[0], dtype=np.float64)


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
    ridged = gram.copy()
    ridged.reshape(-1)[:: tasks + 1] += ridge
    hulls = Hulls(ridged)
    wanted = np.ones((tasks, 2))  # for p, for q
    wanted[:, 1] = -mean
    last: tuple[Tasks, Array, Array, float]  # where it aimed: the face, its q, its p / s, and how much of p is heard

    def aim(active: Tasks, here: Array) -> Array:
        nonlocal last
        nearest, along = points = hulls.bordered(active, wanted.take(active, 0)).T
        nearest /= nearest.sum()
        along -= along.sum() * nearest
        (square, _), (_, turned) = (points @ ridged.take(active, 0).take(active, 1) @ points.T).tolist()
        noise = float((nearest * nearest).dot(ridge.take(active)))
        square, left = max(square, noise), reach**2 - turned
        if left <= ROUNDING * reach**2 and (lowest := along.min()) < 0:
            beyond: Array = here - 2 * along / lowest  # of the border: here <= 1
            return beyond
        step = sqrt(square / max(left, ROUNDING * reach**2))
        last = active, along, nearest / step, max(1 - 2 * noise / square, 0.0)  # 0 where p is the ridge's alone
        there: Array = nearest + step * along
        return there

    active, weights = _begin(aim, tasks)
    best, least = np.zeros(tasks), np.inf
    while True:
        value = float(mean @ weights) + reach * sqrt(max(float(weights @ ridged @ weights), 0.0))
        if value >= least:
            return best
        face, along, pull, heard = last
        stretched, best, least = np.zeros(tasks), np.zeros(tasks), value
        stretched[face] = along + pull  # q + p / s
        best[face] = along + heard * pull  # the same without noise
        slopes = mean + ridged @ stretched
        enters = int(slopes.argmin())
        if float(weights @ slopes) - slopes[enters] <= ROUNDING or weights[enters] > 0:
            return best
        active, weights = _walk(aim, np.concatenate((active, [enters])), weights)
