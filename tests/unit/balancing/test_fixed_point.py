"""The fixed point G a = a^(-power): its equation on hard gradients, closed forms, and limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hard_gradients import hard, lengths
from polygraft.balancing.fixed_point import LARGEST, fixed_point

powers = st.sampled_from([0.1, 0.5, 1.0, 2.0])


@settings(deadline=None, max_examples=80)
@given(rows=hard(), power=powers)
def test_the_equation_holds(rows: np.ndarray, power: float) -> None:
    """With the slope of b^6, which is what keeps weights finite where gradients cancel."""
    weights = fixed_point(rows @ rows.T, power)
    assert (weights > 0).all()
    assert np.isfinite(weights).all()
    size = np.linalg.norm(rows, axis=1)
    alive = size > 1e-12 * size.max()
    rows, size, weights = rows[alive], size[alive], weights[alive]
    b = weights * size ** (2 / (1 + power))
    push = LARGEST ** -(5 + power) * b**5 * size ** (2 * power / (1 + power))
    left, right = rows @ (weights @ rows) + push, weights**-power
    terms = np.abs(rows @ rows.T) @ weights + right
    np.testing.assert_allclose((left - right) / terms, 0, atol=1e-7)


@pytest.mark.parametrize("power", [0.1, 0.5, 1.0, 2.0])
def test_orthogonal_gradients_have_a_closed_form(power: float) -> None:
    size = np.array([1e-3, 1.0, 7.0, 1e4])
    np.testing.assert_allclose(fixed_point(np.diag(size**2), power), size ** (-2 / (1 + power)), rtol=1e-9)


@pytest.mark.parametrize("tasks", [2, 10, 40, 64])
@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_random_gradients_satisfy_it_to_rounding(tasks: int, power: float) -> None:
    chance = np.random.default_rng(tasks)
    for rows in (
        chance.normal(size=(tasks, 200)),
        chance.normal(size=(tasks, 200)) * chance.lognormal(0, 2, (tasks, 1)),
    ):
        weights = fixed_point(rows @ rows.T, power)
        np.testing.assert_allclose(rows @ (weights @ rows), weights**-power, rtol=1e-8)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_opposed_gradients_get_large_weights_that_cancel(power: float) -> None:
    rows = np.array([[3.0, 0.0], [-1.0, 0.0]])
    weights = fixed_point(rows @ rows.T, power)
    assert np.isfinite(weights).all()
    assert np.linalg.norm(weights @ rows) < 1e-2 * np.abs(weights * lengths(rows)).max()


def test_a_gradient_of_no_length_gets_the_mean_of_the_others() -> None:
    assert fixed_point(np.diag([4.0, 0.0, 1.0])).tolist() == pytest.approx([0.5, 0.75, 1.0])
    assert fixed_point(np.zeros((3, 3))).tolist() == [1, 1, 1]
