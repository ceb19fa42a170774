"""Kernels of encoders that bend: what is no multiple of a value, element by element."""

from __future__ import annotations

import math

import numpy as np

from polygraft.core.kernel import inner_kernel, kernel

_CENTRE = np.array(
    [
        [3.3871328727963666080e0, 1.0],
        [1.3314166789178437745e2, 4.2313330701600911252e1],
        [1.9715909503065514427e3, 6.8718700749205790830e2],
        [1.3731693765509461125e4, 5.3941960214247511077e3],
        [4.5921953931549871457e4, 2.1213794301586595867e4],
        [6.7265770927008700853e4, 3.9307895800092710610e4],
        [3.3430575583588128105e4, 2.8729085735721942674e4],
        [2.5090809287301226727e3, 5.2264952788528545610e3],
    ]
)
"""Numerator and denominator of the rational function of AS 241 for |p - 1/2| <= 0.425, by power."""
_TAIL = np.array(
    [
        [1.42343711074968357734e0, 1.0],
        [4.63033784615654529590e0, 2.05319162663775882187e0],
        [5.76949722146069140550e0, 1.67638483018380384940e0],
        [3.64784832476320460504e0, 6.89767334985100004550e-1],
        [1.27045825245236838258e0, 1.48103976427480074590e-1],
        [2.41780725177450611770e-1, 1.51986665636164571966e-2],
        [2.27238449892691845833e-2, 5.47593808499534494600e-4],
        [7.74545014278341407640e-4, 1.05075007164441684324e-9],
    ]
)
"""The same for the tails down to e^-25."""
_LEAST = 1e-7  # of a share: what lies below has the score of this one


@inner_kernel
def _ratio(table, x):  # type: ignore[no-untyped-def]
    """The two polynomials at x, one over the other."""
    above, below = table[7, 0], table[7, 1]
    for power in range(6, -1, -1):
        above = above * x + table[power, 0]
        below = below * x + table[power, 1]
    return above / below


@inner_kernel
def _score(share):  # type: ignore[no-untyped-def]
    """The normal quantile of a share in [1e-7, 1 - 1e-7]: Wichura 1988 (https://doi.org/10.2307/2347330), PPND16."""
    q = share - 0.5
    if abs(q) <= 0.425:
        return q * _ratio(_CENTRE, 0.180625 - q * q)
    r = math.sqrt(-math.log(share if q < 0 else 1.0 - share))
    score = _ratio(_TAIL, r - 1.6)
    return -score if q < 0 else score


@inner_kernel
def _share(value, knots):  # type: ignore[no-untyped-def]
    """The share of the training values below `value`, by their equally spaced quantiles."""
    last = len(knots) - 1
    left, right = np.searchsorted(knots, value, "left"), np.searchsorted(knots, value, "right")
    if left < right:  # it IS a quantile, or several: the middle one
        return 0.5 * (left + (right - 1)) / last
    low, high = knots[left - 1], knots[left]
    if high - low == np.inf:
        low, high, value = 0.5 * low, 0.5 * high, 0.5 * value
    return (left - 1 + (value - low) / (high - low)) / last


@kernel
def normal_scores(values, knots, out):  # type: ignore[no-untyped-def]
    """out[i] = the normal score of values[i]'s share among values of these quantiles; NaN and infinities stay.

    values, out: float64 [rows]; knots: float64 [at least 2], ascending, the quantiles 0, ..., 1 at equal distances.
    """
    low, high = knots[0], knots[len(knots) - 1]
    for i in range(len(values)):
        value = values[i]
        if not math.isfinite(value):
            out[i] = value
        elif low == high == value:
            out[i] = 0.0
        elif value <= low:
            out[i] = _score(_LEAST)
        elif value >= high:
            out[i] = _score(1.0 - _LEAST)
        else:
            out[i] = _score(min(max(_share(value, knots), _LEAST), 1.0 - _LEAST))
