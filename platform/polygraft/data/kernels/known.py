"""Kernels over one column's known training values: gather them, select order statistics."""

from __future__ import annotations

import numpy as np

from polygraft.core.kernel import kernel
from polygraft.data.kernels.bits import spread_bits

_TILE = 1024  # values: they stay in the L1 cache from one short loop, which vectorises, to the next


@kernel
def compact(values, validity, offset, chosen, out):  # type: ignore[no-untyped-def]
    """Write the known values of the chosen rows to the front of `out`.

    values: [offset + rows] of any number type; validity: uint8 bitmap or empty; chosen: bool [rows];
    out: float64, one longer than there are chosen rows. NaN is missing.
    Returns (values written, known rows, infinite rows): the latter two over all rows, chosen or not.
    """
    written, known_rows, infinite = np.uint64(0), 0, 0
    words = np.empty(_TILE >> 3, np.uint64)
    known = words.view(np.uint8)
    for start in range(0, len(chosen), _TILE):
        rows = min(_TILE, len(chosen) - start)
        tile, wanted = values[offset + start : offset + start + rows], chosen[start : start + rows]
        known[:] = 1
        if len(validity) > 0:
            spread_bits(validity, offset + start, words[: (rows + 7) >> 3])
        for i in range(rows):
            known[i] &= tile[i] == tile[i]
        for i in range(rows):
            known_rows += known[i]
            infinite += known[i] & (abs(np.float64(tile[i])) == np.inf)
            known[i] &= wanted[i]
        for i in range(np.uint64(rows)):  # no branch, since none could be foreseen: what is unwanted is overwritten
            out[written] = tile[i]
            written += np.uint64(known[i])
    return np.int64(written), known_rows, infinite


@kernel
def bracket(values, low, high, out):  # type: ignore[no-untyped-def]
    """How many values lie below `low`; those in [low, high] go to the front of `out`. Returns (below, written)."""
    below, written = 0, np.uint64(0)
    for start in range(0, len(values), _TILE):
        tile = values[start : start + _TILE]
        for i in range(len(tile)):
            below += tile[i] < low
        for i in range(np.uint64(len(tile))):
            out[written] = tile[i]
            written += np.uint64((tile[i] >= low) & (tile[i] <= high))
    return below, np.int64(written)
