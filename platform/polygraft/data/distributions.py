"""What a picture of a column shows: a histogram of numbers and moments, the commonest levels of all else, and joint gaps."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations_with_replacement

import numpy as np
import pyarrow as pa

from polygraft.data.survey import Survey

BINS, MOST_LEVELS, MOST_LETTERS = 20, 8, 80
ENDS = (0.01, 0.99)
"""Quantiles of the sample; a histogram reaches to the ends of all values, but at most REACH times their distance beyond them."""
REACH = 0.25  # of normal values three and a half deviations are drawn
MOST_GAPS, DAY = 12, 86_400.0


@dataclass(frozen=True)
class Distribution:
    """Of one column. type: Arrow's. missing: share of all rows.

    edges, counts: of a histogram of the sample's known values, `edges` one longer than `counts`; moments as seconds since 1970.
    outside: sampled values below and above the edges. levels: the commonest, texts of at most 80 letters, by rows; others:
        rows of all other levels. sampled: whether rows are those of the sample alone. Empty where there is nothing to draw.
    """

    column: str
    type: str
    missing: float
    edges: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    outside: tuple[int, int] = (0, 0)
    levels: dict[str, int] = field(default_factory=dict)
    others: int = 0
    sampled: bool = False


def distributions(seen: Survey) -> list[Distribution]:
    """One a column, in the order of the table."""
    return [_distribution(seen, name) for name in seen.columns]


def joint_gaps(seen: Survey) -> list[tuple[str, str, float]]:
    """(one, other, share of the sampled rows where both are missing) of the 12 columns that miss most; of a column and itself
    its own share. Little and Rubin, Statistical Analysis with Missing Data, section 1.2.
    """
    ranked = sorted(seen.columns, key=lambda name: -seen.columns[name].missing)[:MOST_GAPS]
    gaps = {name: np.asarray(seen.sample.column(name).is_null(nan_is_null=True)) for name in ranked}
    missing = [name for name in ranked if gaps[name].any()]
    pairs = combinations_with_replacement(missing, 2)
    return [(one, other, float((gaps[one] & gaps[other]).mean())) for one, other in pairs]


def bin_edges(values: np.ndarray) -> np.ndarray:
    """float64 [at most 21], ascending: the edges of bins of one width for finite values; whole numbers are not cut between."""
    low, high = float(values.min()), float(values.max())
    first, last = np.quantile(values, ENDS)
    low, high = max(low, first - REACH * (last - first)), min(high, last + REACH * (last - first))
    if (values == np.floor(values)).all():  # bins of equally many whole numbers: others would make combs
        low, high = math.ceil(low), math.floor(high)
        width = max(1, math.ceil((high - low + 1) / BINS))
        return np.arange(low, high + width + 0.5, width)
    return np.linspace(low, high, BINS + 1) if high > low else np.array([low - 0.5, low + 0.5])


def _distribution(seen: Survey, name: str) -> Distribution:
    known, type_ = seen.columns[name], seen.sample.schema.field(name).type
    values = np.empty(0) if pa.types.is_boolean(type_) else seen.numbers(name)
    said = name, str(type_), known.missing / max(1, known.rows)
    values = values[np.isfinite(values)]
    if len(values):
        days = seen.columns[name].moments is None and not (values % DAY).any()  # whole days are not cut between, either
        edges = bin_edges(values / DAY) * DAY if days else bin_edges(values)
        counts, _ = np.histogram(values, edges)
        outside = int((values < edges[0]).sum()), int((values > edges[-1]).sum())
        return Distribution(*said, edges.tolist(), counts.tolist(), outside, sampled=known.rows > len(seen.sample))
    levels = known.levels if known.levels is not None else _levels(seen, name)
    ranked = sorted(levels.items(), key=lambda pair: -pair[1])
    most: Counter[str] = Counter()  # texts that begin alike become one
    for level, count in ranked[:MOST_LEVELS]:
        most[level[:MOST_LETTERS]] += count
    others = sum(count for _, count in ranked[MOST_LEVELS:])
    return Distribution(*said, levels=dict(most), others=others, sampled=known.levels is None)


def _levels(seen: Survey, name: str) -> dict[str, int]:
    """Of the sample, where there were too many to count; of lists and the like none."""
    column = seen.sample.column(name)
    if pa.types.is_nested(column.type):
        return {}
    return {str(each["values"]): each["counts"] for each in column.drop_null().value_counts().to_pylist()}
