"""How far two distributions are apart: Kolmogorov and Smirnov's distance of numbers, the stability index of levels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polygraft.data.quality.drift import levels_apart, smirnov, stability


@given(
    one=st.lists(st.integers(0, 9), min_size=1, max_size=30), other=st.lists(st.integers(0, 9), min_size=1, max_size=30)
)
def test_the_distance_of_distributions_is_the_greatest_of_all_values(one: list[int], other: list[int]) -> None:
    apart = [abs(np.mean(np.array(one) <= value) - np.mean(np.array(other) <= value)) for value in range(10)]
    assert smirnov(np.array(one), np.array(other)) == pytest.approx(max(apart))


def test_the_distance_of_distributions_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(2)
    one, other = rng.normal(0, 1, 200), rng.normal(0.5, 2, 301)
    assert smirnov(one, other) == pytest.approx(stats.ks_2samp(one, other, method="asymp").statistic)


def test_the_stability_index_is_0_for_equal_shares_and_that_of_the_closed_form() -> None:
    assert stability({"a": 3, "b": 7}, {"a": 3, "b": 7}) == 0
    expected = (0.8 - 0.2) * np.log(4) * 2
    assert stability({"a": 8000, "b": 2000}, {"a": 2000, "b": 8000}) == pytest.approx(expected, rel=1e-3)
    assert stability({"a": 10}, {"b": 10}) > 1


@pytest.mark.parametrize(("share", "drift"), [(0.73, False), (0.76, True)])
def test_levels_drift_from_a_stability_index_of_a_quarter_on(share: float, drift: bool) -> None:
    """Of two levels, half and half beside p and 1 - p: (p - .5) log(p / (1 - p)) is .2288 at .73 and .2997 at .76."""
    index = (share - 0.5) * math.log(share / (1 - share))
    counts = {"a": 50_000, "b": 50_000}, {"a": round(100_000 * share), "b": round(100_000 * (1 - share))}
    assert levels_apart(*counts) == pytest.approx(index if drift else 0, abs=1e-4)
