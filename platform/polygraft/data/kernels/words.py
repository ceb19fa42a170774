"""Texts as words of eight bytes, read where they lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from polygraft.core.kernel import inner_kernel


def _word_at(typing_context, address):  # type: ignore[no-untyped-def]
    """The eight bytes at an int64 address, aligned or not, as a little-endian uint64."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.load(builder.inttoptr(arguments[0], cgutils.intp_t.as_pointer()), align=1)

    return types.uint64(types.int64), generate


def _byte_at(typing_context, address):  # type: ignore[no-untyped-def]
    """The byte at an int64 address as a uint64."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        byte = builder.load(builder.inttoptr(arguments[0], cgutils.voidptr_t))
        return builder.zext(byte, cgutils.intp_t)

    return types.uint64(types.int64), generate


word: Any = intrinsic(_word_at)
byte: Any = intrinsic(_byte_at)

_MASKS = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)
"""[9]: the first so many bytes of a word."""


@inner_kernel
def first_bytes(at, count, end):  # type: ignore[no-untyped-def]
    """The up to eight bytes at an address as a word, zeros after them. end: of the memory that may be read."""
    count = min(max(count, 0), 8)
    if at + 8 <= end:
        return word(at) & _MASKS[count]
    found = np.uint64(0)
    for i in range(count):
        found |= byte(at + i) << np.uint64(8 * i)
    return found


def places(texts: pa.StringArray | pa.LargeStringArray) -> tuple[np.ndarray, int, int]:
    """Where texts lie: their offsets [texts + 1], the address that these count from, and where the memory ends."""
    if not len(texts):  # its buffers may be absent
        return np.zeros(1, np.int32), 0, 0
    _, offsets, data = texts.buffers()
    width = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    ends = np.frombuffer(offsets, width, len(texts) + 1, texts.offset * np.dtype(width).itemsize)
    return (ends, data.address, data.address + data.size) if data is not None else (ends, 0, 0)
