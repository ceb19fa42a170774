"""Kernels that draw a batch: the order of an epoch, and its rows out of the encoded arrays."""

from __future__ import annotations

import numpy as np

from polygraft.core.kernel import kernel


@kernel
def shuffle(order, seed):  # type: ignore[no-untyped-def]
    """Shuffle `order` in place: Fisher and Yates's way, drawing by counter (SplitMix64, Steele et al. 2014)."""
    state = np.uint64(seed)
    for i in range(len(order) - 1, 0, -1):
        state += np.uint64(0x9E3779B97F4A7C15)
        mixed = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
        # The upper 32 bits, scaled to 0 .. i (Lemire 2019): off from even by less than one in 2^32 / rows.
        j = np.int64(((mixed >> np.uint64(32)) * np.uint64(i + 1)) >> np.uint64(32))
        order[i], order[j] = order[j], order[i]


@kernel
def gather_ragged(values, starts, lengths, index, out, mask):  # type: ignore[no-untyped-def]
    """out[i, :n] = values[starts[index[i]] : starts[index[i]] + n] and mask[i, :n] = True, n that row's length.

    values: uint32 [total, width]; out: uint32 [len(index), length, width], length >= n; mask: bool [len(index), length]. What is
    beyond n is left as it is.
    """
    for i in range(len(index)):
        first = starts[index[i]]
        for at in range(lengths[index[i]]):
            mask[i, at] = True
            for j in range(values.shape[1]):
                out[i, at, j] = values[first + at, j]


@kernel
def gather(source, index, out):  # type: ignore[no-untyped-def]
    """out[i] = source[index[i]]; uint32 [rows, width] and [len(index), width], index int64, not negative."""
    width = np.uint64(source.shape[1])
    words, written, to = source.reshape(-1), out.reshape(-1), np.uint64(0)
    if width == 1:
        for i in range(len(index)):
            written[i] = words[np.uint64(index[i])]
        return
    for i in range(len(index)):
        first = np.uint64(index[i]) * width
        for j in range(width):
            written[to + j] = words[first + j]
        to += width
