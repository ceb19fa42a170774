"""Schedules: pure, continuous at the end of the warm-up, and where they end."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from polygraft.training.schedules import SHAPES, Schedule


@pytest.mark.parametrize("name", SHAPES)
@given(steps=some.integers(1, 500), warmup=some.integers(0, 100), step=some.integers(0, 600), floor=some.floats(0, 1))
def test_a_factor_never_leaves_zero_to_one(name, steps, warmup, step, floor):
    assert 0 <= Schedule(name, warmup, floor).factor(step, steps) <= 1


@pytest.mark.parametrize("name", SHAPES)
def test_the_warm_up_climbs_in_equal_steps_and_ends_at_the_full_rate(name):
    schedule = Schedule(name, warmup=4)
    assert [schedule.factor(step, 100) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


@pytest.mark.parametrize(("name", "middle"), [("constant", 1.0), ("linear", 0.5), ("cosine", 0.5)])
def test_half_way_and_at_the_end(name, middle):
    schedule = Schedule(name, warmup=0, floor=0.0)
    assert schedule.factor(50, 100) == pytest.approx(middle)
    assert schedule.factor(100, 100) == pytest.approx(1.0 if name == "constant" else 0.0)


def test_cosine_is_the_published_curve():
    assert Schedule("cosine", 10, 0.1).factor(40, 110) == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 0.3)))
