"""From a ledger's entries to figures, gains and plain words."""

from __future__ import annotations

from typing import Any

import pytest

from polygraft.studies.arms import SINGLE, STAGED, Arm, Trial
from polygraft.studies.gains import Estimate
from polygraft.studies.outcome import Verdict, as_csv, figures_of, rows_of, verdicts

JOINT = Arm("joint", "equal", "hard")
BETTER = {"a/auc": "max", "b/mae": "min"}


class Named:
    """A trial of a given id."""

    def __init__(self, arm: Arm, seed: int, run: str, tasks: tuple[str, ...], after: str | None = None) -> None:
        self.arm, self.seed, self.run, self.tasks, self.weights, self.after = arm, seed, run, tasks, None, after
        self.fits = not tasks


def study(
    a: dict[int, float], b: dict[int, float], *, without: tuple[str, ...] = ()
) -> tuple[list[Trial], dict[str, Any]]:
    """Joint runs of these figures against single-task runs of a/auc .8 and b/mae 10, by seed."""
    found: list[Any] = []
    entries: dict[str, Any] = {}
    for seed in a:
        made = {
            f"j{seed}": (JOINT, ("a", "b"), {"a/auc": a[seed], "b/mae": b[seed], "improvement": 0.5}),
            f"a{seed}": (SINGLE, ("a",), {"a/auc": 0.8, "b/mae": 99.0}),  # of a task that it did not learn
            f"b{seed}": (SINGLE, ("b",), {"a/auc": 0.1, "b/mae": 10.0}),
        }
        for run, (arm, tasks, metrics) in made.items():
            found.append(Named(arm, seed, run, tasks))
            status = "failed" if run in without else "finished"
            entries[run] = {"run": run, "status": status, "steps": 9, "seconds": 1.5, "metrics": metrics}
    return found, entries


def judged(a: dict[int, float], b: dict[int, float]) -> Verdict:
    (found,) = verdicts(figures_of(*study(a, b)), BETTER)
    return found


def test_figures_are_those_of_the_tasks_that_a_run_learned() -> None:
    figures = figures_of(*study({1: 0.9}, {1: 5.0}))
    assert figures[SINGLE] == {1: {"a/auc": 0.8, "b/mae": 10.0}}
    assert figures[JOINT] == {1: {"a/auc": 0.9, "b/mae": 5.0}}


def test_a_seed_without_all_its_runs_is_left_out() -> None:
    figures = figures_of(*study({1: 0.9, 2: 0.9}, {1: 5.0, 2: 5.0}, without=("b2",)))
    assert (list(figures[SINGLE]), list(figures[JOINT])) == ([1], [1, 2])
    assert verdicts(figures, BETTER)[0].delta_m.seeds == 1


def test_gains_are_taken_seed_by_seed() -> None:
    """Seed 1: +.125 and +.5, seed 2: +.25 and +.4; delta-m .3125 and .325."""
    found = judged({1: 0.9, 2: 1.0}, {1: 5.0, 2: 6.0})
    assert found.delta_m.mean == pytest.approx((0.3125 + 0.325) / 2)
    assert found.delta_m.half == pytest.approx(12.7062 * 0.0125 / 2, rel=1e-4)
    assert found.tasks["a"].mean == pytest.approx(0.1875)


def test_that_joint_training_loses_is_said_plainly() -> None:
    found = judged({1: 0.7, 2: 0.705, 3: 0.7}, {1: 12.0, 2: 12.1, 3: 12.0})
    assert found.result == "loses"
    assert str(found).startswith("equal hard against single-task runs: joint training LOSES; it loses on a (-12.29 % [")


def test_that_it_wins_is_said_too() -> None:
    found = judged({1: 0.9, 2: 0.905, 3: 0.9}, {1: 8.0, 2: 8.1, 3: 8.0})
    assert (found.result, str(found)) == ("wins", "equal hard against single-task runs: joint training wins.")


def test_an_interval_that_holds_zero_decides_nothing() -> None:
    found = judged({1: 0.9, 2: 0.7, 3: 0.81}, {1: 9.0, 2: 11.0, 3: 10.0})
    assert (found.result, str(found).partition(": ")[2]) == ("open", "no difference that these runs could tell.")


def test_a_task_that_loses_is_named_even_where_the_mean_does_not() -> None:
    found = judged({1: 0.9, 2: 0.905, 3: 0.9}, {1: 11.0, 2: 11.1, 3: 11.0})
    assert "it loses on b (-10.33 % [" in str(found)


def test_one_seed_proves_nothing_and_still_tells_a_loss() -> None:
    found = judged({1: 0.7}, {1: 12.0})
    assert found.delta_m == Estimate(pytest.approx(-0.1625), None, 1)
    assert "joint training LOSES at the one seed there is, which is no proof; worst for b (-20.00 %)." in str(found)


def test_the_csv_is_tidy() -> None:
    lines = as_csv(rows_of(*study({1: 0.9}, {1: 5.0}))).splitlines()
    assert lines[0] == "balancer,sharing,seed,task,metric,value,steps,seconds"
    assert lines[1:] == [
        "equal,hard,1,a,auc,0.9,9,1.5",
        "equal,hard,1,b,mae,5.0,9,1.5",
        "single-task,hard,1,a,auc,0.8,9,1.5",
        "single-task,hard,1,b,mae,10.0,9,1.5",
    ]


def test_a_staged_run_counts_the_steps_and_seconds_of_the_features_that_it_stands_on() -> None:
    entry = {"status": "finished", "steps": 9, "seconds": 1.5}
    entries: dict[str, Any] = {
        "f": {**entry, "metrics": {}},
        "a": {**entry, "metrics": {"a/auc": 0.7}},
        "b": {**entry, "metrics": {"b/mae": 4.0}},
    }
    arm = STAGED["pca"]
    found: list[Any] = [Named(arm, 1, "f", ()), Named(arm, 1, "a", ("a",), "f"), Named(arm, 1, "b", ("b",), "f")]
    assert [(row.balancer, row.sharing, row.task, row.steps, row.seconds) for row in rows_of(found, entries)] == [
        ("staged", "pca", "a", 18, 3.0),
        ("staged", "pca", "b", 18, 3.0),
    ]
    assert figures_of(found, entries) == {arm: {1: {"a/auc": 0.7, "b/mae": 4.0}}}
