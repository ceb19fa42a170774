"""What a comparison consists of, decided without running anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import toy_suite
from polygraft.core.errors import UserError
from polygraft.studies.plan import Question, candidates, compared, complete, trials, weighted
from polygraft.studies.variants import by_itself
from polygraft.suite.schema import Suite


def ask(suite: Suite, **question: object) -> Question:
    return complete(suite, Question(**question))  # type: ignore[arg-type]


def test_without_names_the_suites_own_are_compared() -> None:
    question = ask(toy_suite.toy(), seeds=2)
    assert (question.balancers, question.sharings) == (("pcgrad",), ("hard",))


def test_all_wrong_names_are_told_at_once() -> None:
    with pytest.raises(UserError) as error:
        ask(toy_suite.toy(), balancers=("pcgrda", "famo"), sharings=("soft",), against=("stages",), seeds=0)
    told = str(error.value)
    assert "--balancers: no balancer is called 'pcgrda'. Did you mean 'pcgrad'?" in told
    assert "--sharing: no sharing is called 'soft'." in told
    assert "--against: nothing to compare with is called 'stages'. Did you mean 'staged'?" in told
    assert "--seeds: takes 1 or more, not 0." in told
    assert len(error.value.faults) == 4


def test_one_task_is_nothing_to_compare() -> None:
    tasks = {"late": toy_suite.RAW["tasks"]["late"]}
    suite = toy_suite.toy()
    alone = suite.model_copy(update={"tasks": {name: suite.tasks[name] for name in tasks}})
    with pytest.raises(UserError, match="takes two tasks"):
        ask(alone)


def test_every_arm_has_a_run_at_each_seed() -> None:
    suite = toy_suite.toy()
    found = trials(suite, ask(suite, balancers=("pcgrad", "equal"), against=("staged",), seeds=3))
    count: dict[str, int] = {}
    for each in found:
        count[each.arm.kind] = count.get(each.arm.kind, 0) + 1
    assert count == {
        "joint": 2 * 3,
        "single": 2 * 3,
        "staged": 2 * 3 * 3,  # of both kinds of features, these, and each task on them
        "static": 3,
    }  # equal weights, and each task's turn
    assert {each.seed for each in found} == {7, 8, 9}
    assert len({each.run for each in found}) == len(found) - 1, "equal static weights ARE the run of `equal`"


def test_every_run_has_the_budget_of_the_suite_and_differs_in_nothing_else() -> None:
    suite = toy_suite.toy()
    for each in trials(suite, ask(suite, against=("staged",), seeds=2)):
        best = {"best": each.suite.train.best}
        assert each.suite.train == suite.train.model_copy(update=best)
        assert (each.suite.data, each.suite.workers, each.suite.backbone) == (suite.data, suite.workers, suite.backbone)
        assert each.suite.seed == each.seed
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", each.run)


def test_a_task_alone_learns_nothing_else_and_gets_no_other_tasks_target_as_a_feature() -> None:
    alone = by_itself(toy_suite.toy(train={"best": "delay/r2"}), "late", 7)
    assert {name: task.weight for name, task in alone.tasks.items()} == {"late": 1.0, "delay": 0.0}
    assert (alone.balancer.name, alone.sharing.name, alone.train.best) == ("equal", "hard", "late/improvement")
    assert by_itself(toy_suite.toy(train={"best": "delay/r2"}), "delay", 7).train.best == "delay/r2"


def test_a_task_alone_takes_its_own_tables_along_and_no_other() -> None:
    data = {name: {"source": f"{name}.csv"} for name in ("one", "two")}
    tasks = {f"of_{name}": {"data": name, "target": "y", "objective": "regression"} for name in data}
    alone = by_itself(toy_suite.toy(data={"toy": {"source": "toy.csv"}, **data}, tasks=tasks), "of_one", 7)
    assert (list(alone.data), list(alone.tasks)) == (["one"], ["of_one"])


def test_an_edited_suite_and_another_seed_are_other_runs() -> None:
    runs = [
        trials(toy_suite.toy(**change), ask(toy_suite.toy(), seeds=1))[0].run
        for change in ({}, {"train": {"steps": 61}}, {"seed": 8}, {"storage": "elsewhere"})
    ]
    assert runs[3] == runs[0]
    assert len(set(runs)) == 3


def test_candidates_of_static_weights_sum_to_the_number_of_tasks() -> None:
    found = candidates(("a", "b", "c"), 0)
    assert found[0] == {"a": 1.0, "b": 1.0, "c": 1.0}
    assert found[1] == pytest.approx({"a": 1.8, "b": 0.6, "c": 0.6})
    assert [sum(each.values()) for each in candidates(tuple("abcdefghij"), 3)] == pytest.approx([10] * 7)
    assert candidates(tuple("abcdefghij"), 3) == candidates(tuple("abcdefghij"), 3)
    assert candidates(tuple("abcdefghij"), 3) != candidates(tuple("abcdefghij"), 4)


def test_static_weights_multiply_the_suites_own() -> None:
    raw = toy_suite.RAW["tasks"]
    suite = toy_suite.toy(tasks={**raw, "late": {**raw["late"], "weight": 2.0}})
    made = weighted(suite, ask(suite), {"late": 1.5, "delay": 0.5}, 7)
    assert {name: task.weight for name, task in made.suite.tasks.items()} == {"late": 3.0, "delay": 0.5}


def test_gains_are_made_of_metrics_but_not_of_the_loss_said_once_more(tmp_path: Path) -> None:
    found = compared(toy_suite.toy(tmp_path))
    assert found["late/log_loss"] == "min"
    assert found["delay/r2"] == "max"
    assert not [key for key in found if key.endswith("/improvement")]


def test_a_balancers_own_settings_are_kept_and_another_ones_are_its_defaults() -> None:
    suite = toy_suite.toy(balancer={"name": "uncertainty", "lr": 0.5, "agreement_every": 9})
    found = {
        each.arm.balancer: each.suite.balancer
        for each in trials(suite, ask(suite, balancers=("uncertainty", "famo"), seeds=1))
    }
    assert found["uncertainty"].settings == {"lr": 0.5}
    assert found["famo"].agreement_every == 9
    assert found["famo"].settings.get("lr") != 0.5
