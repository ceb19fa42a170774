"""The kernel of the quantile sketch: two sorted buffers become one of the same size."""

from __future__ import annotations

from polygraft.core.kernel import kernel


@kernel
def collapse(one, other, second, out):  # type: ignore[no-untyped-def]
    """Merge two sorted arrays and keep the first (or, when `second` is 1, the second) of each pair; all are float64 [n]."""
    i = j = 0
    for k in range(2 * len(out)):
        left = j == len(other) or (i < len(one) and one[i] <= other[j])
        if k & 1 == second:
            out[k >> 1] = one[i] if left else other[j]
        i += left
        j += not left
