"""The kernel that fills a row's missing numbers from the rows that are nearest to it."""

from __future__ import annotations

import numpy as np

from polygraft.core.kernel import kernel


@kernel
def fill_nearest(numbers, missing, rows, values, known, counts):  # type: ignore[no-untyped-def]
    """numbers[i, j] = the mean of column j in the counts[j] nearest references that know it, for each missing j of these rows i.

    numbers: float32 [all rows, n or more]; missing: bool [all rows, n]; rows: int64; values: float32, known: bool [references, n]. The
    distance is Euclid's over the columns that both know, as a mean square (Dixon 1979, https://doi.org/10.1109/TSMC.1979.4310090, equation 1); of equal ones
    the first reference counts. Means are summed from near to far.
    """
    width, most = counts.shape[0], counts.max()
    distances = np.empty(len(values))
    near, of = np.empty(most), np.empty(most, np.int64)
    for i in rows:
        for r in range(len(values)):
            total, shared = 0.0, 0
            for j in range(width):
                if known[r, j] and not missing[i, j]:
                    apart = np.float64(numbers[i, j]) - np.float64(values[r, j])
                    total += apart * apart
                    shared += 1
            distances[r] = total / shared if shared else np.inf
        for j in range(width):
            if not missing[i, j]:
                continue
            found = 0
            for r in range(len(values)):
                far = distances[r]
                if not known[r, j] or far == np.inf or (found == counts[j] and far >= near[found - 1]):
                    continue
                at = min(found, counts[j] - 1)
                while at > 0 and near[at - 1] > far:
                    near[at], of[at] = near[at - 1], of[at - 1]
                    at -= 1
                near[at], of[at] = far, r
                found = min(found + 1, counts[j])
            if found:
                total = 0.0
                for at in range(found):
                    total += values[of[at], j]
                numbers[i, j] = np.float32(total / found)
