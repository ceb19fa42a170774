"""Laws of every mixture: shares that are chances, pure draws whose long run is the closed form, and no word of the tables' order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polygraft.core.catalogue import catalogue
from polygraft.data.mixing import registry
from polygraft.data.mixing.annealed import Annealed
from polygraft.data.mixing.base import Mixture, Remembering
from polygraft.data.turns import Turns

ROWS = (300, 4_000, 50_000)
TABLES = ("a", "b", "c")
TASKS = (("late", "delay"), ("kind",), ("x", "y", "z"))
STEPS = 4_000
GIVEN = {"a": 1.0, "b": 5.0, "c": 2.0}

NAMES = catalogue("data/mixing").names()
PURE = [name for name in NAMES if not issubclass(registry.find(name), Remembering)]

CLOSED = {
    "uniform": lambda n, t: np.ones(3),
    "proportional": lambda n, t: n,
    "temperature": lambda n, t: np.sqrt(n),
    "annealed": lambda n, t: n ** (1.0 - 0.8 * t / (STEPS - 1)),
    "fixed": lambda n, t: np.array([1.0, 5.0, 2.0]),
}
"""p at step t up to a factor, of rows n, at the plugins' defaults."""


def make(name: str, rows: tuple[int, ...] = ROWS, **settings: object) -> Mixture:
    if name == "fixed":
        settings = {"shares": GIVEN} | settings
    made = registry.make(name, settings, tables=TABLES, rows=rows, tasks=TASKS, steps=STEPS)
    assert isinstance(made, Mixture)
    return made


def closed(name: str, step: int) -> np.ndarray:
    powers = CLOSED[name](np.array(ROWS, np.float64), step)
    return powers / powers.sum()


def test_every_mixture_without_history_that_draws_has_its_closed_form_here() -> None:
    assert set(PURE) == {*CLOSED, "all"}


@pytest.mark.parametrize("name", NAMES)
def test_shares_are_chances_at_every_step(name: str) -> None:
    for step in (0, 1, STEPS // 2, STEPS - 1, 3 * STEPS):
        shares = make(name).shares(range(step, step + 1))
        assert shares.shape == (1, 3)
        assert shares.dtype == np.float64
        assert (shares > 0).all()
        assert shares.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", CLOSED)
def test_shares_are_the_closed_form(name: str) -> None:
    found = make(name).shares(range(7, STEPS))
    for step in (7, 1000, STEPS - 1):
        assert found[step - 7] == pytest.approx(closed(name, step), abs=1e-12)


@pytest.mark.parametrize("name", CLOSED)
def test_what_is_drawn_in_the_long_run_is_the_closed_form(name: str) -> None:
    """Pearson's chi-square with two degrees of freedom; .999 of such runs lie below 13.8, and the seed is fixed."""
    wanted = sum((closed(name, step) for step in range(STEPS)), np.zeros(3))
    drawn = Turns(TABLES, make(name), seed=11).count(range(STEPS))
    assert drawn.sum() == STEPS
    assert (((drawn - wanted) ** 2) / wanted).sum() < 13.8
    other = Turns(TABLES, make("fixed", shares={"a": 2.0, "b": 1.0, "c": 2.0}), seed=11).count(range(STEPS))
    assert (((other - wanted) ** 2) / wanted).sum() > 13.8, "the test cannot fail"


@pytest.mark.parametrize("name", PURE)
@given(first=st.integers(0, STEPS), count=st.integers(1, 3000), at=st.integers(0, 10_000))
def test_a_draw_is_the_same_whatever_was_drawn_before(name: str, first: int, count: int, at: int) -> None:
    turns = Turns(TABLES, make(name), seed=5)
    run = turns.taken(range(first, first + count))
    at %= count
    fresh = Turns(TABLES, make(name), seed=5)
    fresh.told(17)
    assert (fresh.taken(range(first + at, first + at + 1))[0] == run[at]).all()
    assert (fresh.count(range(first)) + run.sum(0) == fresh.count(range(first + count))).all()


def test_another_seed_draws_otherwise_and_so_does_another_step() -> None:
    one, other = (Turns(TABLES, make("uniform"), seed).taken(range(1000)) for seed in (1, 2))
    assert 0.2 < (one != other).any(1).mean() < 0.9
    assert len({tuple(each) for each in one.tolist()}) == 3


@pytest.mark.parametrize("name", [name for name in CLOSED if name != "fixed"])
def test_the_order_of_tables_does_not_matter(name: str) -> None:
    straight, turned = make(name).shares(range(9, 12)), make(name, ROWS[::-1]).shares(range(9, 12))
    assert straight == pytest.approx(turned[:, ::-1], abs=1e-15)


@pytest.mark.parametrize("name", [name for name in CLOSED if name != "fixed"])
def test_only_the_ratios_of_rows_count(name: str) -> None:
    assert make(name).shares(range(1)) == pytest.approx(make(name, tuple(10 * n for n in ROWS)).shares(range(1)))


def test_temperature_lies_between_proportional_and_uniform() -> None:
    steps = range(1)
    assert make("temperature", temperature=1.0).shares(steps) == pytest.approx(make("proportional").shares(steps))
    assert make("temperature", temperature=1e9).shares(steps) == pytest.approx(make("uniform").shares(steps), abs=1e-6)


def test_annealed_goes_from_its_first_power_to_its_last() -> None:
    moving = Annealed(ROWS, 11, first=1.0, last=0.0).shares(range(20))
    assert moving[0] == pytest.approx(make("proportional").shares(range(1))[0])
    assert moving[10:] == pytest.approx(np.full((10, 3), 1 / 3))
    assert moving[5] == pytest.approx(make("temperature", temperature=2.0).shares(range(1))[0])
    assert Annealed(ROWS, 1).shares(range(1)) == pytest.approx(make("proportional").shares(range(1)))


def test_a_limit_keeps_a_huge_table_from_crowding_out_the_others() -> None:
    assert make("proportional", limit=4_000).shares(range(1))[0] == pytest.approx(np.array([300, 4000, 4000]) / 8300)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in PURE])
class TestHistory:
    """What only mixtures with history are held to."""

    def test_a_table_that_has_learned_less_is_drawn_more_often(self, name: str) -> None:
        mixture = make(name)
        mixture.observe({"late": 4.0, "delay": 1.0, "kind": 2.0, "x": 1.0, "y": 1.0, "z": 1.0})
        assert mixture.shares(range(1))[0] == pytest.approx(np.full(3, 1 / 3))
        for _ in range(200):
            mixture.observe({"late": 1.0, "delay": 0.25, "kind": 2.0})
        # what is left: a quarter of both, all, all
        assert mixture.shares(range(1))[0] == pytest.approx(0.1 / 3 + 0.9 * np.array([0.25, 1, 1]) / 2.25, rel=1e-6)

    def test_the_scale_of_a_tasks_loss_does_not_matter(self, name: str) -> None:
        one, other = make(name), make(name)
        for step in range(20):
            one.observe({"late": 1 / (1 + step), "kind": 1.0})
            other.observe({"late": 1e6 / (1 + step), "kind": 1.0})
        assert one.shares(range(1)) == pytest.approx(other.shares(range(1)))

    def test_losses_that_are_nothing_or_less_do_no_harm(self, name: str) -> None:
        mixture = make(name, floor=0.3)
        mixture.observe({"late": -1.0, "delay": 0.0, "kind": 1.0, "x": 1.0})
        for _ in range(99):
            mixture.observe({"late": -9.0, "delay": 0.0, "kind": -1.0, "x": 0.0})
        shares = mixture.shares(range(1))[0]
        assert np.isfinite(shares).all()
        assert shares.min() == pytest.approx(0.1)
        assert shares.sum() == pytest.approx(1)

    def test_saved_and_loaded_it_goes_on_with_the_same_bits(self, name: str) -> None:
        chance = np.random.default_rng(3)
        whole, half = (Turns(TABLES, make(name), seed=5) for _ in range(2))
        drawn = []
        for step in range(60):
            if step == 30:
                fresh = Turns(TABLES, make(name), seed=5)
                fresh.load(half.state())
                half = fresh
            losses = {task: float(chance.random()) for task in ("late", "x")}
            took = [each.taken(range(step, step + 1))[0].tolist() for each in (whole, half)]
            assert took[0] == took[1]
            drawn.append(took[0])
            for each in (whole, half):
                each.observe(step, losses)
        assert whole.count(range(60)).tolist() == np.sum(drawn, 0).tolist()
        assert whole.told(60) == half.told(60)
        assert {
            key: each.tolist() for key, each in whole.state().items() if "first" not in key and "recent" not in key
        } == {
            "step": 60,
            "drawn": np.sum(drawn, 0).tolist(),
        }

    def test_nothing_is_drawn_ahead_of_what_was_observed(self, name: str) -> None:
        turns = Turns(TABLES, make(name), seed=5)
        turns.taken(range(1))
        with pytest.raises(AssertionError):
            turns.taken(range(1, 2))


def test_what_is_told_is_what_was_drawn() -> None:
    turns = Turns(TABLES, make("proportional"), seed=2)
    assert turns.told(0) == {}
    for step in (40, 400, 40):  # forwards, and back after a rewind
        told, drawn = turns.told(step), turns.count(range(step))
        for table, n, rows in zip(TABLES, drawn.tolist(), ROWS, strict=True):
            assert told[f"{table}/drawn"] == n
            assert told[f"{table}/share"] == n / step
            assert told[f"{table}/chance"] == pytest.approx(rows / sum(ROWS))
    assert Turns(TABLES, make("all"), seed=2).told(40) == {}
