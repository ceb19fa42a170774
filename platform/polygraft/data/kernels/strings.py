"""The kernel that hashes strings where they lie, from Arrow's offsets and bytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from polygraft.core.kernel import kernel

_START, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_MIX_1, _MIX_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)


@kernel
def hash_strings(data, offsets, out):  # type: ignore[no-untyped-def]
    """out[i], uint64: FNV-1a (Fowler, Noll and Vo) of the bytes offsets[i] to offsets[i + 1], through MurmurHash3's 64-bit finaliser."""
    for i in range(len(out)):
        word = _START
        for j in range(offsets[i], offsets[i + 1]):
            word = (word ^ np.uint64(data[j])) * _PRIME
        word = (word ^ (word >> _SHIFT)) * _MIX_1
        word = (word ^ (word >> _SHIFT)) * _MIX_2
        out[i] = word ^ (word >> _SHIFT)


def hashes(texts: pa.StringArray) -> np.ndarray:
    """uint64 [texts] of UTF-8 texts none of which is null; the same on every machine."""
    out = np.empty(len(texts), np.uint64)
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1] if len(texts) else out[:0]
    bytes_ = np.frombuffer(data, np.uint8) if data is not None and data.size else np.empty(0, np.uint8)
    if len(texts):
        hash_strings(bytes_, ends, out)
    return out
