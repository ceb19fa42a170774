"""Small exact solvers on a Gramian [K, K], in numpy and float64: K is the number of tasks, so no step notices them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROUNDING = 1e-12  # share of the squared length by which a task may lie below the hyperplane


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
    active = list(range(len(gram)))  # most tasks stay, as a rule: beginning with all saves their entering one by one
    weights = _nearest_in_hull(gram, active, np.full(len(gram), 1 / len(gram)))
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
        weights = _nearest_in_hull(gram, active, weights)


def _nearest_in_hull(gram: Array, active: list[int], weights: Array) -> Array:
    """Wolfe's minor cycle: walk towards the affine hull's nearest point; who would go below 0 on the way leaves `active`."""
    here = weights[active]
    while True:
        aim = _affine_min_norm(gram[np.ix_(active, active)])
        falling = aim <= 0
        if not falling.any():
            here = aim
            break
        steps = np.full(len(active), np.inf)
        gaps = np.maximum(here[falling] - aim[falling], np.finfo(np.float64).tiny)  # 0 / 0: it leaves at once
        steps[falling] = here[falling] / gaps
        first = int(steps.argmin())
        here = np.maximum(here + steps[first] * (aim - here), 0.0)
        here[first] = 0.0
        active[:] = [k for k, weight in zip(active, here, strict=True) if weight > 0]
        here = here[here > 0]
    found = np.zeros(len(gram))
    found[active] = here / here.sum()
    return found


def _affine_min_norm(gram: Array) -> Array:
    """Weights that sum to 1, of any sign, of the shortest combination.

    (1 + G) v = 1 and w = v / sum v: regular for affinely independent gradients, also where G is not. Where rounding or
    equal gradients leave it singular, the least-squares solution serves.
    """
    square, ones = gram + 1.0, np.ones(len(gram))
    try:
        solved = np.linalg.solve(square, ones)
        if not np.abs(square @ solved - ones).max() < 1e-9:
            raise np.linalg.LinAlgError
    except np.linalg.LinAlgError:
        solved = np.linalg.lstsq(square, ones, rcond=None)[0]
    found: Array = solved / solved.sum()
    return found
