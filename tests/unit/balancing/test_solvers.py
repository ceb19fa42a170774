"""Solvers on the simplex: KKT conditions, duality, against torchjd's iterative one, and on what is degenerate."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchjd.aggregation import MGDA

from hard_gradients import hard, lengths, plain
from polygraft.balancing.solvers import ball, min_norm


def violation(gramian: np.ndarray, weights: np.ndarray) -> float:
    """By how much some gradient lies below the hyperplane through the found point, as a share of the longest's square."""
    slopes = gramian @ weights
    return float((weights @ slopes - slopes.min()) / max(gramian.diagonal().max(), 1e-300))


@settings(deadline=None, max_examples=100)
@given(jacobian=plain)
def test_the_weights_lie_on_the_simplex_and_satisfy_kkt(jacobian: np.ndarray) -> None:
    gramian = jacobian @ jacobian.T
    weights = min_norm(gramian)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert violation(gramian, weights) < 1e-9


@settings(deadline=None, max_examples=100)
@given(rows=hard())
def test_a_long_gradient_hides_no_short_one(rows: np.ndarray) -> None:
    """KKT as a share of each gradient's own length and of the longest summand's."""
    weights, size = min_norm(rows @ rows.T), lengths(rows)
    point = weights @ rows
    below = (point @ point - rows @ point) / size
    assert below.max() < 1e-6 * max(np.abs(weights * size).max(), 1e-300)


@settings(deadline=None, max_examples=50)
@given(jacobian=plain, factor=st.floats(1e-6, 1e6))
def test_a_factor_does_not_matter(jacobian: np.ndarray, factor: float) -> None:
    gramian = jacobian @ jacobian.T
    assert violation(gramian, min_norm(gramian * factor**2)) < 1e-9


@settings(deadline=None, max_examples=50)
@given(jacobian=plain)
def test_a_gradient_said_twice_changes_nothing(jacobian: np.ndarray) -> None:
    twice = np.concatenate([jacobian, jacobian[:1]])
    once, again = min_norm(jacobian @ jacobian.T), min_norm(twice @ twice.T)
    length = np.linalg.norm(jacobian, axis=1).max()
    np.testing.assert_allclose(np.linalg.norm(once @ jacobian), np.linalg.norm(again @ twice), atol=1e-4 * length)


@pytest.mark.parametrize("tasks", [2, 3, 10, 40])
def test_it_is_never_longer_than_torchjds(tasks: int) -> None:
    chance = torch.Generator().manual_seed(tasks)
    for _ in range(20):
        jacobian = torch.randn(tasks, 50, generator=chance, dtype=torch.float64) + 0.3
        ours = torch.from_numpy(min_norm((jacobian @ jacobian.T).numpy())) @ jacobian
        theirs = MGDA(epsilon=1e-6, max_iters=2000)(jacobian)
        assert ours.norm() <= theirs.norm() * (1 + 1e-9)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0.05)


@pytest.mark.parametrize(
    ("jacobian", "weights"),
    [
        ([[1.0, 0.0]], [1.0]),
        ([[0.0, 0.0], [0.0, 0.0]], [0.5, 0.5]),
        ([[1.0, 0.0], [0.0, 1.0]], [0.5, 0.5]),
        ([[1.0, 0.0], [3.0, 0.0]], [1.0, 0.0]),
        ([[1.0, 0.0], [1.0, 0.0]], [0.5, 0.5]),
        ([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [5.0, 5.0, 1.0]], [0.2, 0.8, 0.0]),
        ([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]], [0.0, 1.0, 0.0]),
    ],
)
def test_small_cases(jacobian: list[list[float]], weights: list[float]) -> None:
    rows = np.array(jacobian)
    np.testing.assert_allclose(min_norm(rows @ rows.T), weights, atol=1e-12)


def gap(rows: np.ndarray, radius: float) -> float:
    """What is missing to the best step within the ball: the least of some dual values less the worst task's gain."""
    mean = rows.mean(0)
    reach = radius * np.linalg.norm(mean)
    added = ball(rows @ rows.T, radius)
    step = added @ rows
    assert np.linalg.norm(step) <= reach * (1 + 1e-6) + 1e-12 * np.linalg.norm(rows)
    duals = [*np.eye(len(rows)), min_norm(rows @ rows.T)]
    if (added >= 0).all() and added.sum() > 0:
        duals.append(added / added.sum())
    least = min(float(w @ rows @ mean + reach * np.linalg.norm(w @ rows)) for w in duals)
    return (least - float((rows @ (mean + step)).min())) / max(float((rows**2).sum(1).max()), 1e-300)


@settings(deadline=None, max_examples=100)
@given(rows=hard(), radius=st.sampled_from([0.1, 0.4, 0.9, 1.0, 1.5, 10.0]))
def test_no_step_in_the_ball_does_more_for_the_worst_task(rows: np.ndarray, radius: float) -> None:
    assert gap(rows, radius) < 1e-6 * (1 + radius)  # a length below 1e-6 of the longest counts as nothing


@pytest.mark.parametrize(("tasks", "columns"), [(2, 5), (3, 2), (10, 30), (10, 6), (40, 200), (40, 30), (64, 64)])
def test_the_ball_is_solved_to_rounding(tasks: int, columns: int) -> None:
    chance = np.random.default_rng(tasks)
    for radius in (0.1, 0.5, 1.0, 2.0):
        assert abs(gap(chance.normal(size=(tasks, columns)) + 0.1, radius)) < 1e-9


def test_what_is_left_of_the_mean_at_a_pareto_stationary_point() -> None:
    """g_0 and g_1 cancel; the mean's part along them goes, what the third task gains is kept."""
    rows = np.array([[1.0, 0.0], [-1.0, 0.0], [0.6, 1.2]])
    np.testing.assert_allclose((ball(rows @ rows.T, 0.9) + 1 / 3) @ rows, [0, 0.4], atol=1e-9)


def test_a_ball_of_no_radius_adds_nothing() -> None:
    rows = np.random.default_rng(0).normal(size=(4, 6))
    assert ball(rows @ rows.T, 0.0).tolist() == [0] * 4
    assert ball(np.zeros((4, 4)), 0.5).tolist() == [0] * 4
