"""The projection onto the dual cone: KKT conditions on hard gradients, against quadprog in the primal and scipy on the gradients."""

from __future__ import annotations

import numpy as np
import pytest
import quadprog
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from hard_gradients import hard, lengths
from polygraft.balancing.dual_cone import project


def violation(rows: np.ndarray, wanted: np.ndarray, found: np.ndarray) -> float:
    """Of v >= u, of <g_k, d> >= 0 and of their complementarity, as shares of the lengths."""
    size = lengths(rows)
    before, after = wanted @ rows, found @ rows  # [M, columns]
    scale = np.maximum(np.abs(wanted * size).max(1), 1e-300)[:, None]
    inner, added = after @ (rows / size[:, None]).T / scale, (found - wanted) * size / scale
    assert (np.linalg.norm(after, axis=1) <= np.linalg.norm(before, axis=1) * (1 + 1e-9) + 1e-9).all()
    return float(max(-added.min(), -inner.min(), np.abs(added * inner / (1 + added)).max()))


@settings(deadline=None, max_examples=80)
@given(rows=hard())
def test_every_row_satisfies_kkt(rows: np.ndarray) -> None:
    wanted = np.concatenate([np.eye(len(rows)), np.ones((1, len(rows)))])
    found = project(rows @ rows.T, wanted)
    assert np.isfinite(found).all()
    assert violation(rows, wanted, found) < 1e-6


@settings(deadline=None, max_examples=30)
@given(rows=hard())
@example(rows=np.array([[1.0, 1.0001], [1.0, 0.0], [-1.0, -1.0]]))
def test_it_is_the_least_squares_problem_on_the_gradients_themselves(rows: np.ndarray) -> None:
    """d = g_i + sum_k w_k g_k, w >= 0, is the shortest: scipy solves it without the Gramian."""
    units = rows / lengths(rows)[:, None]
    # A Gramian holds squares of angles: two gradients within 1e-5 of opposed are opposed to whoever sees inner products alone.
    apart = np.linalg.norm(units[:, None] + units, axis=2)
    assume(not ((apart > 1e-14) & (apart < 1e-5)).any())
    found = project(rows @ rows.T, np.eye(len(rows))) @ rows / lengths(rows)[:, None]
    for unit, mine in zip(units, found, strict=True):
        added, _ = nnls(units.T, -unit)
        np.testing.assert_allclose(mine, unit + added @ units, atol=1e-4)


@pytest.mark.parametrize("tasks", [12, 40, 64])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.55, 0.9])
def test_gradients_of_low_rank_are_projected_to_rounding(tasks: int, share: float) -> None:
    """About rank K / 2 it is even whether any step helps all: the active set is the longest in coming."""
    for seed in range(5):
        rows = np.random.default_rng([tasks, seed]).normal(size=(tasks, max(1, int(share * tasks))))
        assert violation(rows, np.eye(tasks), project(rows @ rows.T, np.eye(tasks))) < 1e-9


@pytest.mark.parametrize(("tasks", "columns"), [(2, 5), (3, 2), (10, 30), (10, 6), (40, 200), (40, 30), (64, 64)])
@pytest.mark.parametrize("noise", [0.0, 1e-7])
def test_it_is_quadprogs_projection(tasks: int, columns: int, noise: float) -> None:
    """noise: what float32 leaves of a Gramian, which may then have negative eigenvalues."""
    chance = np.random.default_rng(tasks)
    rows = chance.normal(size=(tasks, columns))
    blur = noise * chance.normal(size=(tasks, tasks))
    found = project(rows @ rows.T * (1 + blur + blur.T), np.eye(tasks)) @ rows
    for row, mine in zip(rows, found, strict=True):
        exact = quadprog.solve_qp(np.eye(columns), row, rows.T, np.zeros(tasks))[0]
        np.testing.assert_allclose(mine, exact, atol=1e-9 if noise == 0 else 1e-4)


@pytest.mark.parametrize(
    ("rows", "wanted", "found"),
    [
        ([[1.0, 0.0]], [1.0], [1.0]),
        ([[0.0, 0.0]], [1.0], [1.0]),
        ([[1.0, 0.0], [1.0, 1.0]], [1.0, 1.0], [1.0, 1.0]),
        ([[1.0, 0.0], [-1.0, 0.0]], [1.0, 0.0], [1.0, 1.0]),
        ([[-4.0, 1.0, 1.0], [6.0, 1.0, 1.0]], [0.5, 0.5], [11 / 18, 0.5]),
        ([[-4e6, 1e6, 1e6], [6.0, 1.0, 1.0]], [1.0, 0.0], [1.0, 22e6 / 38]),
    ],
)
def test_small_cases(rows: list[list[float]], wanted: list[float], found: list[float]) -> None:
    gradients = np.array(rows)
    np.testing.assert_allclose(project(gradients @ gradients.T, np.array([wanted]))[0], found, rtol=1e-9)


@settings(deadline=None, max_examples=30)
@given(rows=hard(), factor=st.floats(1e-6, 1e6))
def test_a_factor_does_not_matter(rows: np.ndarray, factor: float) -> None:
    wanted = np.eye(len(rows))
    assert violation(rows, wanted, project(rows @ rows.T * factor**2, wanted)) < 1e-6
