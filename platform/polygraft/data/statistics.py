"""Statistics of one column that are gathered batch by batch and merged: what the quality checks look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MOST_LEVELS, MOST_LETTERS = 10_000, 2**22


@dataclass(frozen=True)
class Moments:
    """Of the finite values: how many, their mean, the sum of their squared deviations, the least and the greatest."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = np.inf
    high: float = -np.inf

    def merge(self, other: Moments) -> Moments:
        """Of both together: Chan, Golub and LeVeque 1983 (https://doi.org/10.1080/00031305.1983.10483115), equation 2.1."""
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        return Moments(
            count,
            self.mean + apart * other.count / count,
            self.squares + other.squares + apart * apart * self.count * other.count / count,
            min(self.low, other.low),
            max(self.high, other.high),
        )


@dataclass(frozen=True)
class Statistics:
    """One column, or some of its rows. `merge` is associative, so any chunking of the rows comes to the same.

    missing: nulls and NaN. infinite: values that are not finite. levels: how often each known value occurs, as a text;
        None once there are more than 10,000 of them, or more than four million letters in them, so that memory is bounded. moments: of a number column.
    """

    rows: int = 0
    missing: int = 0
    infinite: int = 0
    levels: Mapping[str, int] | None = None
    moments: Moments | None = None

    def merge(self, other: Statistics) -> Statistics:
        """Of the rows of both."""
        return Statistics(
            self.rows + other.rows,
            self.missing + other.missing,
            self.infinite + other.infinite,
            _merged(self.levels, other.levels),
            self.moments.merge(other.moments) if self.moments and other.moments else None,
        )

    @property
    def known(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing


def statistics(column: pa.Array, counted: bool = True) -> Statistics:
    """Of one batch's column. counted: whether the levels are still worth counting."""
    type_ = column.type
    if pa.types.is_dictionary(type_):
        column, type_ = column.cast(type_.value_type), type_.value_type
    if pa.types.is_decimal(type_) or pa.types.is_float16(type_):
        column, type_ = column.cast(pa.float64()), pa.float64()
    if pa.types.is_floating(type_):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, type_), column)
    numeric = pa.types.is_integer(type_) or pa.types.is_floating(type_)
    values = column.drop_null().to_numpy(zero_copy_only=False).astype(np.float64) if numeric else np.empty(0)
    finite = values[np.isfinite(values)]
    return Statistics(
        len(column),
        column.null_count,
        len(values) - len(finite),
        _levels(column) if counted and not pa.types.is_nested(type_) else None,
        _moments(finite) if numeric else None,
    )


def _moments(values: np.ndarray) -> Moments:
    if not len(values):
        return Moments()
    mean = float(values.mean())
    return Moments(len(values), mean, float(((values - mean) ** 2).sum()), float(values.min()), float(values.max()))


def _levels(column: pa.Array) -> dict[str, int] | None:
    if not len(column):
        return {}
    counts = column.drop_null().value_counts()
    values = counts.field("values")
    sized = any(test(values.type) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary))
    if len(counts) > MOST_LEVELS or (sized and (pc.sum(pc.binary_length(values)).as_py() or 0) > MOST_LETTERS):
        return None
    return {str(each["values"]): each["counts"] for each in counts.to_pylist()}


def _merged(one: Mapping[str, int] | None, other: Mapping[str, int] | None) -> dict[str, int] | None:
    if one is None or other is None:
        return None
    both = dict(one)
    for level, count in other.items():
        both[level] = both.get(level, 0) + count
    return both if len(both) <= MOST_LEVELS and sum(map(len, both)) <= MOST_LETTERS else None
