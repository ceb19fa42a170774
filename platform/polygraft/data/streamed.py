"""What a stream's training rows know of one number column: counts and sums are exact, quantiles come from a sketch."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import pyarrow as pa

from polygraft.data.known import Known, compacted, totals
from polygraft.data.plans import Bend
from polygraft.data.sketch import Sketch, interpolate


class Streamed(Known):
    """A column of which no row is kept, seen in blocks and merged part by part.

    Counts, the mean and the deviation of values as they are round to the same numbers however the rows were cut. Whatever asks for
    ranks or clips (`quantile`, `deviation`, `most_frequent`, clipped `totals`) is answered from the sketch: a quantile's rank is off
    by at most its `error`, a deviation's by twice that; the most frequent value is one whose share is within twice that of the
    greatest; a clipped mean is off by at most `error` times the distance of the bounds.
    """

    def __init__(self) -> None:
        self.count = self.missing = self.infinite = 0
        self.empty = True
        self.sketch = Sketch()
        self._total, self._squares = Fraction(0), Fraction(0)
        self._overflown = False

    def add(self, column: pa.ChunkedArray, chosen: np.ndarray) -> None:
        """See a block; chosen: bool [rows], its training rows."""
        values, known, infinite = compacted(column, chosen)
        self.count += len(values)
        self.missing += int(np.count_nonzero(chosen)) - len(values)
        self.infinite += infinite
        self.empty &= known == 0
        self.sketch.add(values)
        try:
            total, squares = totals(values)
            self._total, self._squares = self._total + total, self._squares + squares
        except OverflowError:
            self._overflown = True

    def merge(self, other: Streamed) -> None:
        """See what another saw of the rows that come next; it must not be used any more."""
        self.count, self.missing = self.count + other.count, self.missing + other.missing
        self.infinite, self.empty = self.infinite + other.infinite, self.empty and other.empty
        self.sketch.merge(other.sketch)
        self._total, self._squares = self._total + other._total, self._squares + other._squares
        self._overflown |= other._overflown

    def find(self, fractions: Iterable[float]) -> None:
        """Nothing: each quantile costs a search in the sketch."""

    def quantile(self, fraction: float) -> float:
        return self.sketch.quantiles([fraction])[0]

    def most_frequent(self) -> float:
        values, weights = self.sketch.weighted()
        kinds, first = np.unique(values, return_index=True)
        return float(kinds[np.argmax(np.add.reduceat(weights, first))])

    def deviation(self, middle: float) -> float:
        values, weights = self.sketch.weighted()
        apart = np.abs(values - middle)
        order = np.argsort(apart, kind="stable")
        ends, apart = np.cumsum(weights[order]), apart[order]
        return interpolate(0.5, self.count, lambda rank: apart[np.searchsorted(ends, rank, "right")])

    def totals(self, low: float, high: float, bend: Bend | None) -> tuple[Fraction, Fraction]:
        if self._overflown:
            raise OverflowError
        if bend is None and low <= self.sketch.low and self.sketch.high <= high:
            return self._total, self._squares
        values, weights = self.sketch.weighted()
        values = np.clip(values, low, high)
        return _weighted(bend(values) if bend else values, weights)


def _weighted(values: np.ndarray, weights: np.ndarray) -> tuple[Fraction, Fraction]:
    """The sums of values, each as often as its weight says, and of their squares."""
    total = squares = Fraction(0)
    for weight in np.unique(weights).tolist():
        some = totals(values[weights == weight])
        total, squares = total + weight * some[0], squares + weight * some[1]
    return total, squares
