"""What the training rows know of one number column: its known values, gathered once, and statistics of them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from polygraft.data.plans import NumberPlan

_SAMPLE = 8_192  # values that say where an order statistic may lie
_SURE = (
    4.5  # standard deviations of a sampled rank: once in 150,000 an order statistic lies outside, and is found slowly
)


class Known:
    """The known (neither null nor NaN) training values of a column, float64 [count], in the order of the rows.

    count, missing: training rows that know a value, and that do not. infinite: infinite values among ALL rows.
    empty: no row at all, training or not, knows a value.
    """

    def __init__(self, column: pa.ChunkedArray, chosen: np.ndarray) -> None:
        from polygraft.data.kernels.buffers import buffers, readable
        from polygraft.data.kernels.known import compact

        out = np.empty(len(column) + 1)
        count = known = infinite = row = 0
        # Bits become numbers first: flags are few, and the kernel stays one loop.
        numbers = column.cast(pa.int32()) if pa.types.is_boolean(column.type) else readable(column)
        for chunk in numbers.chunks:
            each = buffers(chunk)
            some = compact(each.values, each.validity, each.offset, chosen[row : row + each.rows], out[count:])
            count, known, infinite, row = count + some[0], known + some[1], infinite + some[2], row + each.rows
        self.values: np.ndarray = out[:count]
        self.count, self.infinite, self.empty = count, infinite, known == 0
        self.missing = int(np.count_nonzero(chosen)) - count
        self._quantiles: dict[float, float] = {}

    def find(self, fractions: Iterable[float]) -> None:
        """Find these quantiles at once; what is asked for later costs a pass of its own."""
        missing = sorted(set(fractions) - set(self._quantiles))
        if self.count and missing:
            self._quantiles.update(zip(missing, quantiles(self.values, missing), strict=True))

    def quantile(self, fraction: float) -> float:
        """The exact quantile, between two values the linear interpolation (numpy's and R's default)."""
        self.find([fraction])
        return self._quantiles[fraction]

    def mean(self) -> float:
        """The mean of the known values."""
        return self.moments(NumberPlan(""), missing=0)[0]

    def most_frequent(self) -> float:
        """The value seen most often; of equals the smallest."""
        values, counts = np.unique(self.values, return_counts=True)
        return float(values[np.argmax(counts)])

    def deviation(self, middle: float) -> float:
        """The median absolute deviation from `middle`."""
        return quantiles(np.abs(self.values - middle), [0.5])[0]

    def moments(self, plan: NumberPlan, missing: int | None = None) -> tuple[float, float]:
        """Mean and standard deviation (over rows, not rows - 1) of the training rows as `plan` fills and clips them."""
        from polygraft.data.kernels.known import moments

        missing = self.missing if missing is None else missing
        rows = self.count + missing
        if not rows:
            return 0.0, 0.0
        # Sums are taken about a typical value: about 0 they would cancel in columns far from 0.
        typical = np.median(self.values[:: self.count // 101 + 1]) if self.count else plan.fill
        shift = float(plan.clip(typical))
        total, squares = moments(self.values, shift, plan.low, plan.high)
        if missing:
            filled = float(plan.clip(plan.fill)) - shift
            total, squares = total + missing * filled, squares + missing * filled**2
        mean = total / rows
        return shift + mean, math.sqrt(max(squares / rows - mean**2, 0.0))


def quantiles(values: np.ndarray, fractions: list[float]) -> list[float]:
    """Exact quantiles, linearly interpolated, of float64 values without NaN, by Floyd and Rivest 1975
    (https://doi.org/10.1145/360680.360691): a sample brackets each order statistic, one pass counts what lies below the
    bracket and gathers what lies inside, and only that is sorted.
    """
    if len(values) <= 4 * _SAMPLE:
        ordered = np.sort(values)
        return [_interpolate(fraction, len(values), lambda rank: ordered[rank]) for fraction in fractions]
    # A low-discrepancy walk over the rows: spread evenly, in step with no period of the data.
    at = (np.arange(_SAMPLE) * 0.6180339887498949 % 1.0 * len(values)).astype(np.int64)
    sample = np.sort(values[at])
    scratch = np.empty(len(values) + 1)
    return [_quantile(values, fraction, sample, scratch) for fraction in fractions]


def _quantile(values: np.ndarray, fraction: float, sample: np.ndarray, scratch: np.ndarray) -> float:
    from polygraft.data.kernels.known import bracket

    reach = _SURE * math.sqrt(fraction * (1 - fraction) / len(sample)) + 2 / len(sample)
    first, last = (fraction - reach) * len(sample), (fraction + reach) * len(sample)
    low = sample[int(first)] if first >= 0 else -np.inf
    high = sample[int(last)] if last < len(sample) else np.inf
    below, inside = bracket(values, low, high, scratch)
    lowest = math.floor(fraction * (len(values) - 1))
    highest = min(lowest + 1, len(values) - 1)  # the quantile lies between these two ranks
    if not below <= lowest <= highest < below + inside:
        scratch, below, inside = values, 0, len(values)  # the sample misled: take all
    found = np.partition(scratch[:inside], sorted({lowest - below, highest - below}))
    return _interpolate(fraction, len(values), lambda rank: found[rank - below])


def _interpolate(fraction: float, count: int, at_rank) -> float:  # type: ignore[no-untyped-def]
    place = fraction * (count - 1)
    rank = math.floor(place)
    low = float(at_rank(rank))
    high = float(at_rank(min(rank + 1, count - 1)))
    return low + (place - rank) * (high - low) if high != low else low
