"""Kernels over rows whose texts are numbered: numbered anew, and counted."""

from __future__ import annotations

from polygraft.core.kernel import kernel


@kernel
def renumber(mapping, numbers):  # type: ignore[no-untyped-def]
    """numbers = mapping[numbers], both int32."""
    for i in range(len(numbers)):
        numbers[i] = mapping[numbers[i]]


@kernel
def count_numbers(numbers, validity, offset, chosen, counts):  # type: ignore[no-untyped-def]
    """Add one to counts[numbers[i]], int64, for each chosen row i; to the last of them where it is null.

    numbers: int32 [offset + rows]; validity: uint8 bitmap, empty when none is null; chosen: bool [rows].
    """
    for i in range(len(chosen)):
        at = offset + i
        known = len(validity) == 0 or (validity[at >> 3] >> (at & 7)) & 1 == 1
        counts[numbers[at] if known else len(counts) - 1] += chosen[i]
