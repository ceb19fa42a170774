"""Sums of values and of their squares in twice the working precision, so that no cut of the rows shows in what they round to.

Deviations of columns whose mean is more than 10^7 of them away from 0 may differ in their last bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from polygraft.core.kernel import inner_kernel, kernel

_LANES = 256  # sums side by side: a loop over them vectorises, and they stay in the L1 cache


def _as_fma(typing_context, a, b, c):  # type: ignore[no-untyped-def]
    """a * b + c, rounded once."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


_fma: Any = intrinsic(_as_fma)


@inner_kernel
def _add(values, low, high, lanes):  # type: ignore[no-untyped-def]
    """Add clip(v, low, high) and its square, one value to each lane. lanes: total, its rest, squares, their rest."""
    total, rest, squares, square_rest = lanes
    for i in range(len(values)):
        value = values[i]
        value = low if value < low else value
        value = high if value > high else value
        before = total[i]
        grown = before + value
        back = grown - before
        rest[i] += (before - (grown - back)) + (value - back)
        total[i] = grown
        square = value * value
        before = squares[i]
        grown = before + square
        back = grown - before
        square_rest[i] += ((before - (grown - back)) + (square - back)) + _fma(value, value, -square)
        squares[i] = grown


@inner_kernel
def _together(values, rests):  # type: ignore[no-untyped-def]
    """(rounded sum of the lanes, what was rounded off)."""
    total = rest = 0.0
    for i in range(len(values)):
        grown = total + values[i]
        back = grown - total
        rest += (total - (grown - back)) + (values[i] - back) + rests[i]
        total = grown
    return total, rest


@kernel
def sums(values, low, high):  # type: ignore[no-untyped-def]
    """The sum of clip(v, low, high) as (rounded sum, what was rounded off), then that of its square, of float64 values.

    Ogita, Rump and Oishi 2005 (https://doi.org/10.1137/030601818), algorithms 4.4 (Sum2) and 5.3 (Dot2), in lanes that are added
    up in the same way. The error is below n^2 2^-106 of the sum of magnitudes.
    """
    lanes = (np.zeros(_LANES), np.zeros(_LANES), np.zeros(_LANES), np.zeros(_LANES))
    for start in range(0, len(values), _LANES):
        _add(values[start : start + _LANES], low, high, lanes)
    total, rest = _together(lanes[0], lanes[1])
    squares, square_rest = _together(lanes[2], lanes[3])
    return total, rest, squares, square_rest
