"""What the training rows know of one number column: statistics of its known values, held in memory or not."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import pyarrow as pa

from polygraft.data.plans import Bend, NumberPlan
from polygraft.data.sketch import interpolate

_SAMPLE = 8_192  # values that say where an order statistic may lie
_MANY = 24  # quantiles at once: to sort all values is then the shorter way
_SURE = (
    4.5  # standard deviations of a sampled rank: once in 150,000 an order statistic lies outside, and is found slowly
)


class Known(ABC):
    """What the training rows know (neither null nor NaN) of a column.

    count, missing: training rows that know a value, and that do not. infinite: infinite values among ALL rows.
    empty: no row at all, training or not, knows a value.
    """

    count: int
    missing: int
    infinite: int
    empty: bool

    @abstractmethod
    def find(self, fractions: Iterable[float]) -> None:
        """Find these quantiles at once; what is asked for later may cost a pass of its own."""

    @abstractmethod
    def quantile(self, fraction: float) -> float:
        """The quantile, between two values the linear interpolation (numpy's and R's default)."""

    @abstractmethod
    def most_frequent(self) -> float:
        """The value seen most often; of equals the smallest."""

    @abstractmethod
    def deviation(self, middle: float) -> float:
        """The median absolute deviation from `middle`."""

    @abstractmethod
    def totals(self, low: float, high: float, bend: Bend | None) -> tuple[Fraction, Fraction]:
        """The sums of the known values, clipped and then bent, and of their squares. Raises OverflowError when they exceed float64."""

    def mean(self) -> float:
        """The mean of the known values."""
        return self.moments(NumberPlan(""), missing=0)[0]

    def moments(self, plan: NumberPlan, missing: int | None = None, bend: Bend | None = None) -> tuple[float, float]:
        """Mean and standard deviation (over rows, not rows - 1) of the training rows as `plan` fills and clips them, then bent.

        In rational arithmetic, so that nothing cancels in columns far from 0.
        """
        missing = self.missing if missing is None else missing
        rows = self.count + missing
        if not rows:
            return 0.0, 0.0
        try:
            total, squares = self.totals(plan.low, plan.high, bend)
        except OverflowError:
            return float(plan.clip(self.quantile(0.5))), math.inf
        if missing:
            fill = np.array([plan.clip(plan.fill)], np.float64)
            filled = Fraction(float((bend(fill) if bend else fill)[0]))
            total, squares = total + missing * filled, squares + missing * filled**2
        mean = total / rows
        return float(mean), math.sqrt(max(squares / rows - mean**2, Fraction(0)))


class Held(Known):
    """A column in memory: every answer is exact. values: float64 [count], in the order of the rows."""

    def __init__(self, column: pa.ChunkedArray, chosen: np.ndarray) -> None:
        self.values, known, self.infinite = compacted(column, chosen)
        self.count, self.empty = len(self.values), known == 0
        self.missing = int(np.count_nonzero(chosen)) - self.count
        self._quantiles: dict[float, float] = {}

    def find(self, fractions: Iterable[float]) -> None:
        missing = sorted(set(fractions) - set(self._quantiles))
        if self.count and missing:
            self._quantiles.update(zip(missing, quantiles(self.values, missing), strict=True))

    def quantile(self, fraction: float) -> float:
        self.find([fraction])
        return self._quantiles[fraction]

    def most_frequent(self) -> float:
        values, counts = np.unique(self.values, return_counts=True)
        return float(values[np.argmax(counts)])

    def deviation(self, middle: float) -> float:
        return quantiles(np.abs(self.values - middle), [0.5])[0]

    def totals(self, low: float, high: float, bend: Bend | None) -> tuple[Fraction, Fraction]:
        return totals(bend(np.clip(self.values, low, high))) if bend else totals(self.values, low, high)


def compacted(column: pa.ChunkedArray, chosen: np.ndarray) -> tuple[np.ndarray, int, int]:
    """(the known values of the chosen rows, float64 [count]; known rows; infinite rows), the latter two of ALL rows."""
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
    return out[:count], known, infinite


def totals(values: np.ndarray, low: float = -math.inf, high: float = math.inf) -> tuple[Fraction, Fraction]:
    """The sums of float64 values, clipped, and of their squares. Raises OverflowError when they exceed float64."""
    from polygraft.data.kernels.sums import sums

    found = sums(values, low, high)
    if not all(map(math.isfinite, found)):
        raise OverflowError
    return Fraction(found[0]) + Fraction(found[1]), Fraction(found[2]) + Fraction(found[3])


def quantiles(values: np.ndarray, fractions: list[float]) -> list[float]:
    """Exact quantiles, linearly interpolated, of float64 values without NaN, by Floyd and Rivest 1975
    (https://doi.org/10.1145/360680.360691): a sample brackets each order statistic, one pass counts what lies below the
    bracket and gathers what lies inside, and only that is sorted.
    """
    if len(values) <= 4 * _SAMPLE or len(fractions) > _MANY:
        ordered = np.sort(values)
        return [interpolate(fraction, len(values), lambda rank: ordered[rank]) for fraction in fractions]
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
    return interpolate(fraction, len(values), lambda rank: found[rank - below])
