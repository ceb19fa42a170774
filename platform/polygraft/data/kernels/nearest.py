"""The kernel that fills a row's missing numbers from the rows that are nearest to it."""

from __future__ import annotations

import numpy as np

from polygraft.core.kernel import inner_kernel, kernel


@inner_kernel
def _compare(references, row, lacks, totals, shared):  # type: ignore[no-untyped-def]
    """Sums of squared differences to each reference over the columns that both know, and how many these are; vectorised."""
    totals[:], shared[:] = 0.0, 0.0
    for j in range(len(references)):
        if not lacks[j]:
            value, column = np.float64(row[j]), references[j]
            for r in range(len(column)):
                apart = np.float64(column[r]) - value
                known = apart == apart
                totals[r] += apart * apart if known else 0.0
                shared[r] += 1.0 if known else 0.0


@inner_kernel
def _mean_of_nearest(column, distances, near, values, otherwise):  # type: ignore[no-untyped-def]
    """The mean of `column` in the nearest references that know it, of equally near ones the first; `otherwise` without any."""
    found = 0
    for r in range(len(column)):
        far = distances[r]
        if column[r] != column[r] or far != far or (found == len(near) and (found == 0 or far >= near[found - 1])):
            continue
        at = min(found, len(near) - 1)
        while at > 0 and near[at - 1] > far:
            near[at], values[at] = near[at - 1], values[at - 1]
            at -= 1
        near[at], values[at] = far, column[r]
        found = min(found + 1, len(near))
    total = 0.0
    for at in range(found):
        total += values[at]
    return np.float32(total / found) if found else otherwise


@kernel
def fill_nearest(numbers, missing, rows, references, counts):  # type: ignore[no-untyped-def]
    """numbers[i, j] = the mean of column j in the counts[j] nearest references that know it, for each missing j of these rows i.

    numbers: float32 [all rows, n or more]; missing: bool [all rows, n]; rows: int64; references: float32 [n, references], NaN where not
    known, column by column so that the loop over them vectorises. The distance is Euclid's over the columns that both know, as a mean
    square (Dixon 1979, https://doi.org/10.1109/TSMC.1979.4310090, equation 1); of equal ones the first reference counts. Means are
    summed from near to far.
    """
    size, most = references.shape[1], counts.max()
    totals, shared, distances = np.empty(size), np.empty(size), np.empty(size)
    near, values = np.empty(most), np.empty(most)
    for i in rows:
        _compare(references, numbers[i], missing[i], totals, shared)
        for r in range(size):
            distances[r] = totals[r] / shared[r]  # NaN, 0 / 0, where they share nothing
        for j in range(len(counts)):
            if missing[i, j]:
                some = slice(0, counts[j])
                numbers[i, j] = _mean_of_nearest(references[j], distances, near[some], values[some], numbers[i, j])
