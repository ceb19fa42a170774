"""What a history's affinities are summed up to, where tasks have no label in some steps, and how far two ways to measure agree."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from polygraft.studies.affinity_history import Found, agreement, found_in
from polygraft.training.steps.measuring import Affinities

NAN = math.nan
STEPS = {
    1: Affinities(torch.tensor([[1.0, 2, NAN], [3, 4, NAN], [NAN] * 3]), torch.tensor([[1.0, 3, NAN], [2, 4, NAN], [NAN] * 3])),
    11: Affinities(torch.tensor([[5.0, NAN, NAN], [NAN] * 3, [NAN, NAN, 6]]), None),
    51: Affinities(torch.tensor([[3.0, 6, NAN], [1, 2, NAN], [NAN] * 3]), torch.tensor([[2.0, 5, NAN], [-1, 2, NAN], [NAN] * 3])),
}  # fmt: skip
NAMES = ("a", "b", "c")


def told(steps: dict[int, Affinities], names: tuple[str, ...] = NAMES) -> Found:
    """From steps to what is found, as the history keeps them."""
    points: dict[str, list[tuple[int, float]]] = {}
    for step, each in steps.items():
        for key, value in each.values(names).items():
            points.setdefault(key, []).append((step, value))
    return found_in(points, names)


def test_a_mean_is_over_the_steps_that_saw_both_tasks() -> None:
    found = told(STEPS)
    np.testing.assert_array_equal(found.first_order, [[3, 4, NAN], [2, 3, NAN], [NAN, NAN, 6]])
    np.testing.assert_array_equal(found.ahead, [[1.5, 4, NAN], [0.5, 3, NAN], [NAN] * 3])
    assert (found.measured, found.looks) == (3, 2)


def test_the_first_step_says_nothing_of_the_agreement() -> None:
    found = told(STEPS).agreement
    assert (found.looks, found.mean, found.signs) == (1, None, 0.5)  # two pairs: too few for a correlation
    assert told({1: STEPS[1]}).agreement.signs is None


def test_the_agreement_is_told_step_by_step_on_average_and_at_worst() -> None:
    """One step's look-aheads agree, the other's do not; pooled, the first one's sizes would hide that."""
    chance = np.random.default_rng(1)
    large, small, other = 100 * chance.normal(size=(4, 4)), chance.normal(size=(4, 4)), chance.normal(size=(4, 4))
    apart = ~np.eye(4, dtype=bool)
    found = agreement([(large, large + 0.1 * other), (small, other)])
    wanted = [np.corrcoef(one[apart], two[apart])[0, 1] for one, two in ((large, large + 0.1 * other), (small, other))]
    assert found.mean == pytest.approx(np.mean(wanted))
    assert found.worst == pytest.approx(min(wanted))
    assert found.worst < 0.7 < found.mean + 0.3
    pooled = np.corrcoef(
        *(np.concatenate(each) for each in ((large[apart], small[apart]), (large[apart], other[apart])))
    )
    assert pooled[0, 1] > 0.99
    signs = np.concatenate([(large * (large + 0.1 * other) > 0)[apart], (small * other > 0)[apart]])
    assert found.signs == pytest.approx(signs.mean())


def test_a_step_whose_pairs_do_not_differ_is_left_out_of_the_correlations() -> None:
    flat, steep = np.ones((3, 3)), np.arange(9.0).reshape(3, 3)
    found = agreement([(flat, steep), (steep, steep)])
    assert (found.looks, found.mean, found.worst) == (2, pytest.approx(1), pytest.approx(1))


def test_a_history_without_a_measurement_is_no_error() -> None:
    found = told({})
    assert (found.measured, found.looks, found.agreement.mean) == (0, 0, None)
    assert np.isnan(found.first_order).all()
