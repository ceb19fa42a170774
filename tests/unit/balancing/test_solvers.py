"""The min-norm solver: KKT conditions, against torchjd's iterative one, and on what is degenerate."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torchjd.aggregation import MGDA

from polygraft.balancing.solvers import min_norm

values = st.floats(-100, 100, width=32)
jacobians = st.tuples(st.integers(1, 12), st.integers(1, 8)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=values)
)


def violation(gramian: np.ndarray, weights: np.ndarray) -> float:
    """By how much some gradient lies below the hyperplane through the found point, as a share of the longest's square."""
    slopes = gramian @ weights
    return float((weights @ slopes - slopes.min()) / max(gramian.diagonal().max(), 1e-300))


@settings(deadline=None, max_examples=300)
@given(jacobian=jacobians)
def test_the_weights_lie_on_the_simplex_and_satisfy_kkt(jacobian: np.ndarray) -> None:
    gramian = jacobian @ jacobian.T
    weights = min_norm(gramian)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert violation(gramian, weights) < 1e-9


@settings(deadline=None, max_examples=100)
@given(jacobian=jacobians, factor=st.floats(1e-6, 1e6))
def test_a_factor_does_not_matter(jacobian: np.ndarray, factor: float) -> None:
    gramian = jacobian @ jacobian.T
    assert violation(gramian, min_norm(gramian * factor**2)) < 1e-9


@settings(deadline=None, max_examples=100)
@given(jacobian=jacobians)
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
