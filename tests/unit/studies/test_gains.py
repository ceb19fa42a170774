"""Gains and their intervals, against figures worked out by hand and against scipy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from polygraft.studies.gains import Estimate, by_task, delta_m, delta_p, estimate, gains, student, within

BETTER = {"a/auc": "max", "a/loss": "min", "b/mae": "min"}


def test_gains_by_hand() -> None:
    """AUC .8 -> .9 is +1/8; a loss .5 -> .6 is -1/5; an MAE 10 -> 5 is +1/2. Metric by metric 17/120, task by task 37/160."""
    found = gains({"a/auc": 0.9, "a/loss": 0.6, "b/mae": 5.0}, {"a/auc": 0.8, "a/loss": 0.5, "b/mae": 10.0}, BETTER)
    assert found == pytest.approx({"a/auc": 0.125, "a/loss": -0.2, "b/mae": 0.5})
    assert by_task(found) == pytest.approx({"a": -0.0375, "b": 0.5})
    assert delta_m(found) == pytest.approx(0.425 / 3)
    assert delta_p(found) == pytest.approx(0.23125)


def test_a_negative_reference_is_bettered_by_more() -> None:
    assert gains({"b/r2": 0.1}, {"b/r2": -0.2}, {"b/r2": "max"}) == pytest.approx({"b/r2": 1.5})


def test_what_one_of_them_lacks_and_what_is_measured_against_zero_is_left_out() -> None:
    assert gains({"a/auc": 0.9, "b/mae": 1.0}, {"a/loss": 0.5, "b/mae": 0.0}, BETTER) == {}


@given(st.dictionaries(st.sampled_from(list(BETTER)), st.floats(0.01, 100), min_size=1))
def test_equal_figures_gain_nothing(figures: dict[str, float]) -> None:
    found = gains(figures, figures, BETTER)
    assert found.keys() == figures.keys()
    assert delta_m(found) == delta_p(found) == 0


def test_an_interval_by_hand() -> None:
    """1, 2, 3: mean 2, deviation 1, t(2) = 4.302653, half 4.302653 / sqrt 3."""
    found = estimate([1.0, 2.0, 3.0])
    assert (found.mean, found.half) == pytest.approx((2.0, 2.484138), abs=1e-6)
    assert (found.low, found.high) == pytest.approx((-0.484138, 4.484138), abs=1e-6)


def test_one_seed_has_no_interval() -> None:
    assert estimate([0.3]) == Estimate(0.3, None, 1)
    assert estimate([0.3]).low is estimate([0.3]).high is None


@given(st.integers(1, 60), st.floats(0.01, 30))
def test_students_distribution_is_scipys(freedom: int, t: float) -> None:
    assert within(t, freedom) == pytest.approx(2 * stats.t.cdf(t, freedom) - 1, abs=1e-12)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 30])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_students_quantiles_are_scipys(freedom: int, level: float) -> None:
    assert student(level, freedom) == pytest.approx(stats.t.ppf((1 + level) / 2, freedom), rel=1e-10)


def test_an_interval_is_scipys_of_paired_differences() -> None:
    mine, theirs = [0.81, 0.84, 0.79, 0.83], [0.80, 0.80, 0.80, 0.80]
    found = estimate([a - b for a, b in zip(mine, theirs, strict=True)])
    wanted = stats.ttest_rel(mine, theirs).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
