"""Order statistics of a stream that can be seen several times, exact, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

_DIGIT = 16  # bits of a key that one pass decides
_FEW = 2**18  # keys that are held and sorted


def select(keys: Callable[[], Iterator[np.ndarray]], rank: int) -> tuple[int, int]:
    """(key, place in the stream) of what stands at `rank`, from 0, once the stream is sorted; equal keys in their order.

    keys: gives the stream anew at each call, as arrays of uint64. Passes: a count for each 16 bits until few keys are left, and
    one more (radix selection, as in Knuth, The Art of Computer Programming 3, section 5.2.5).
    """
    prefix, below, bits = 0, 0, 0
    while True:
        bits += _DIGIT
        counts = np.zeros(2**_DIGIT, np.int64)
        for some in keys():
            mine = some if bits == _DIGIT else some[some >> np.uint64(64 - bits + _DIGIT) == prefix]
            digits = (mine >> np.uint64(64 - bits)) & np.uint64(2**_DIGIT - 1)
            counts += np.bincount(digits.astype(np.int64), minlength=2**_DIGIT)
        digit = int(np.searchsorted(np.cumsum(counts), rank - below, "right"))
        below += int(counts[:digit].sum())
        prefix = prefix << _DIGIT | digit
        if bits == 64 or counts[digit] <= _FEW:
            return _among(keys, prefix, 64 - bits, rank - below)


def _among(keys: Callable[[], Iterator[np.ndarray]], prefix: int, shift: int, rank: int) -> tuple[int, int]:
    """What stands at `rank` among the keys that begin with `prefix`; where no bit is left, they are equal and need no sorting."""
    found, places, start, seen = [], [], 0, 0
    for some in keys():
        hits = np.flatnonzero(some >> np.uint64(shift) == prefix)
        if shift == 0 and seen + len(hits) > rank:
            return prefix, start + int(hits[rank - seen])
        if shift:
            found.append(some[hits])
            places.append(hits + start)
        start, seen = start + len(some), seen + len(hits)
    key, place = np.concatenate(found), np.concatenate(places)
    at = np.argsort(key, kind="stable")[rank]
    return int(key[at]), int(place[at])
