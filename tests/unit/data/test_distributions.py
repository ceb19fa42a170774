"""What pictures of columns show: every known value is counted once, whole numbers fall into equal bins, gaps are pandas'."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polygraft.data.distributions import BINS, Distribution, bin_edges, distributions, joint_gaps
from polygraft.data.spec import TableSpec
from polygraft.data.survey import Survey, survey


def seen(columns: dict[str, object]) -> Survey:
    table = pa.table(columns)
    return survey(table, TableSpec("t", ("t.csv",)), np.zeros(len(table), np.uint8))


def shown(columns: dict[str, object]) -> Distribution:
    (found,) = distributions(seen(columns))
    return found


@given(st.lists(st.floats(-1e12, 1e12) | st.none() | st.just(np.inf), min_size=1, max_size=60))
def test_every_finite_value_is_in_one_bin_or_outside(values: list[float | None]) -> None:
    found = shown({"x": pa.array(values, pa.float64())})
    finite = [value for value in values if value is not None and np.isfinite(value)]
    assert sum(found.counts) + sum(found.outside) == len(finite)
    assert len(found.edges) == len(found.counts) + bool(finite)
    assert len(found.counts) <= BINS + 1
    assert found.missing == pytest.approx(sum(value is None for value in values) / len(values))


@given(st.integers(-1000, 1000), st.integers(1, 500))
def test_evenly_spread_whole_numbers_make_no_comb(low: int, many: int) -> None:
    numbers = np.arange(low, low + many)
    counts, _ = np.histogram(numbers, bin_edges(numbers.astype(float)))
    assert len(set(counts[:-1].tolist())) <= 1  # the last bin has what is left
    assert counts.sum() == many


def test_a_far_value_does_not_squeeze_all_others_into_one_bin() -> None:
    found = shown({"x": [*np.linspace(0, 1, 999), 1e9]})
    assert found.outside == (0, 1)
    assert max(found.counts) < 100


def test_days_are_drawn_by_whole_days() -> None:
    days = np.datetime64("2024-01-01", "s") + np.arange(33).astype("timedelta64[D]")
    found = shown({"day": days})
    assert found.counts == [2] * 16 + [1]
    assert found.edges[0] == 1704067200


def test_the_commonest_levels_are_counted_over_all_rows_and_cut() -> None:
    found = shown({"t": ["a"] * 5 + ["b" * 500] * 3 + [None] * 2 + [f"x{i}" for i in range(10)]})
    assert list(found.levels.items())[:2] == [("a", 5), ("b" * 80, 3)]
    assert (len(found.levels), found.others, found.missing) == (8, 4, 0.1)
    assert not found.counts


def test_columns_of_other_types_are_described_without_a_picture() -> None:
    lists = shown({"l": [[1, 2], None, [3]]})
    assert (lists.counts, lists.levels, lists.missing) == ([], {}, pytest.approx(1 / 3))


def test_joint_gaps_are_those_of_pandas() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {name: np.where(rng.random(500) < share, np.nan, 1.0) for name, share in zip("abc", (0.1, 0.5, 0), strict=True)}
    )
    found = {
        (one, other): share for one, other, share in joint_gaps(seen({name: frame[name].to_numpy() for name in frame}))
    }
    gaps = frame.isna()
    expected = {("b", "b"): gaps.b.mean(), ("b", "a"): (gaps.b & gaps.a).mean(), ("a", "a"): gaps.a.mean()}
    assert found == pytest.approx(expected)
