"""Laws of every method on the Gramian, on families of gradients; where one does not hold is said in `balancing_exceptions.py`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from balancing_exceptions import DEGREES, EXCEPTIONS
from gramian_families import (
    ALL,
    REGULAR,
    VARIANTS,
    Rows,
    agreeing,
    longest,
    low_rank,
    matrices,
    opposed,
    random,
    strong,
    uneven,
    weak,
    weigh,
)

Family = Callable[[int, np.random.Generator], Rows]


def every_variant_where(*laws: str) -> pytest.MarkDecorator:
    """Every variant but the exceptions to these laws."""
    excepted = set().union(*(EXCEPTIONS[law] for law in laws))
    return pytest.mark.parametrize("variant", [each for each in VARIANTS if each not in excepted])


def on(*families: Family) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("family", families, ids=lambda family: family.__name__)


@pytest.mark.parametrize("variant", VARIANTS)
@on(*ALL)
def test_weights_are_finite(variant: str, family: Family) -> None:
    for rows in matrices(family):
        assert np.isfinite(weigh(variant, rows)).all()


@pytest.mark.parametrize("variant", VARIANTS)
@on(*ALL)
def test_weights_are_finite_where_rounding_left_negative_eigenvalues(variant: str, family: Family) -> None:
    for rows in matrices(family):
        assert np.isfinite(weigh(variant, rows, blur=np.random.default_rng(len(rows)))).all()


@every_variant_where("no task is worse off")
@on(*ALL)
def test_no_task_is_worse_off(variant: str, family: Family) -> None:
    for rows in matrices(family):
        weights = weigh(variant, rows)
        gains = rows @ (weights @ rows)
        assert (gains >= -4e-4 * np.linalg.norm(rows, axis=1) * longest(weights, rows)).all()


@every_variant_where("the order of tasks does not matter")
@on(*(family for family in ALL if family is not opposed))
def test_the_order_of_tasks_does_not_matter_to_the_step(variant: str, family: Family) -> None:
    assert_any_order(variant, family)


@every_variant_where("the order of tasks does not matter", "nor does it where gradients cancel")
def test_nor_does_it_where_gradients_cancel(variant: str) -> None:
    assert_any_order(variant, opposed)


def assert_any_order(variant: str, family: Family) -> None:
    for rows in matrices(family):
        order = np.random.default_rng(len(rows)).permutation(len(rows))
        weights = weigh(variant, rows)
        again = weigh(variant, rows[order]) @ rows[order]
        np.testing.assert_allclose(again, weights @ rows, rtol=0, atol=1e-4 * longest(weights, rows))


@every_variant_where("a step is linear in the sizes of losses")
@on(*REGULAR)
def test_a_step_is_linear_in_the_sizes_of_losses(variant: str, family: Family) -> None:
    """A(diag(a + b) J) = A(diag(a) J) + A(diag(b) J) for positive a and b."""
    for rows in matrices(family):
        chance = np.random.default_rng(len(rows))
        first, second = (chance.uniform(0.2, 3, (len(rows), 1)) * rows for _ in range(2))
        both = first + second
        weights = weigh(variant, both)
        apart = weigh(variant, first) @ first + weigh(variant, second) @ second
        np.testing.assert_allclose(apart, weights @ both, rtol=0, atol=1e-4 * longest(weights, both))


@every_variant_where("a factor comes out as a power of itself")
@on(random, uneven, agreeing, low_rank)
def test_a_factor_comes_out_as_a_power_of_itself(variant: str, family: Family) -> None:
    """A(s J) = s^degree A(J)."""
    degree, _ = DEGREES.get(variant, (1, "weights do not see it"))
    for rows in matrices(family):
        weights = weigh(variant, rows)
        for factor in (1e-6, 1e-3, 1e3, 1e6):
            found = weigh(variant, factor * rows) @ (factor * rows) / factor**degree
            np.testing.assert_allclose(found, weights @ rows, rtol=0, atol=1e-4 * longest(weights, rows))


@every_variant_where("a strongly stationary point is left alone")
def test_a_strongly_stationary_point_is_left_alone(variant: str) -> None:
    """Where a combination with positive weights is zero no step is taken."""
    for rows in matrices(strong, (2, 3, 10, 64)):
        assert np.linalg.norm(weigh(variant, rows) @ rows) < 1e-4 * np.linalg.norm(rows, axis=1).max()


@every_variant_where("who can still gain does")
def test_who_can_still_gain_does(variant: str) -> None:
    """A weakly stationary point is no end: the task that is free to gain takes the step on."""
    for rows in matrices(weak, (3, 10, 64)):
        step = weigh(variant, rows) @ rows
        assert np.linalg.norm(step) > 1e-3 * np.linalg.norm(rows[-1])
        assert rows[-1] @ step > 0


@pytest.mark.parametrize("variant", ["mgda"])
@on(*ALL)
def test_mgda_satisfies_kkt(variant: str, family: Family) -> None:
    """On the simplex, and no gradient lies below the hyperplane through the point."""
    for rows in matrices(family):
        weights = weigh(variant, rows)
        point = weights @ rows
        assert (weights >= 0).all()
        assert weights.sum() == pytest.approx(1)
        below, lengths = point @ point - rows @ point, np.linalg.norm(rows, axis=1)
        assert (below <= 1e-6 * lengths * longest(weights, rows) + 1e-24 * lengths.max() ** 2).all()


@on(*ALL)
def test_two_tasks_pcgrad_is_upgrads_sum(family: Family) -> None:
    for rows in matrices(family, (2,)):
        weights = weigh("pcgrad", rows)
        np.testing.assert_allclose(
            weights @ rows, weigh("upgrad sum", rows) @ rows, rtol=0, atol=1e-9 * longest(weights, rows)
        )


def test_exceptions_and_degrees_are_of_variants_that_there_are() -> None:
    assert set(DEGREES) <= set(VARIANTS)
