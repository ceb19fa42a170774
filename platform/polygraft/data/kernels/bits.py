"""Bits to bytes: what every kernel that meets a validity bitmap starts with."""

from __future__ import annotations

import numpy as np

from polygraft.core.kernel import inner_kernel

_SPREAD = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], 1, bitorder="little").view(np.uint64).reshape(-1)
"""[256]: the eight bits of a byte as the eight bytes of a word."""


@inner_kernel
def spread_bits(bits, first, words):  # type: ignore[no-untyped-def]
    """words = bits first, first + 1, ..., a byte each, eight to a word; past the end of `bits` anything.

    bits: uint8, least significant bit first; words: uint64. Whole words cost an eighth of asking bit by bit.
    """
    shift = first & 7
    for word in range(len(words)):
        at = (first >> 3) + word
        eight = np.int64(bits[at]) >> shift
        if shift and at + 1 < len(bits):
            eight |= np.int64(bits[at + 1]) << (8 - shift)
        words[word] = _SPREAD[eight & 255]
