"""A column's statistics: merged over any chunking they are those of the whole, and numpy's and pandas' say the same."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polygraft.data.statistics import MOST_LEVELS, Statistics, statistics

NUMBERS = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(np.nan), st.just(np.inf)), max_size=40)
TEXTS = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "?", ""])), max_size=40)


def merged(column: pa.Array, cuts: list[int]) -> Statistics:
    edges = sorted({0, len(column), *(cut % (len(column) + 1) for cut in cuts)})
    found = statistics(column.slice(0, 0))
    for low, high in itertools.pairwise(edges):
        found = found.merge(statistics(column.slice(low, high - low)))
    return found


@example(values=[1.0, 2.0, 30.0, 50.0, None], cuts=[1, 3])
@given(values=NUMBERS, cuts=st.lists(st.integers(0, 40), max_size=5))
def test_numbers_merged_over_any_chunking_are_those_of_the_whole(values: list[float | None], cuts: list[int]) -> None:
    found = merged(pa.array(values, pa.float64()), cuts)
    series = pd.Series(values, dtype=float)
    finite = series[np.isfinite(series)]
    assert (found.rows, found.missing) == (len(values), int(series.isna().sum()))
    assert found.infinite == int(np.isinf(series).sum())
    assert found.moments is not None
    assert found.moments.count == len(finite)
    if len(finite):
        assert (found.moments.low, found.moments.high) == (finite.min(), finite.max())
        assert found.moments.mean == pytest.approx(finite.mean(), abs=1e-6)
        assert found.moments.squares == pytest.approx(finite.var(ddof=0) * len(finite), rel=1e-6, abs=1e-3)


@given(values=TEXTS, cuts=st.lists(st.integers(0, 40), max_size=5))
def test_levels_merged_over_any_chunking_are_those_of_pandas(values: list[str | None], cuts: list[int]) -> None:
    expected = pd.Series(values, dtype=object).value_counts().to_dict()
    assert merged(pa.array(values, pa.string()), cuts).levels == expected
    assert merged(pa.array(values, pa.string()).dictionary_encode(), cuts).levels == expected


def test_levels_are_given_up_when_there_are_too_many_however_they_are_cut() -> None:
    column = pa.array(range(MOST_LEVELS + 1))
    assert statistics(column).levels is None
    assert merged(column, [10, MOST_LEVELS]).levels is None
    assert merged(column.slice(1), [10]).levels is not None
