"""Bad suites of environments: each fault says its place, what was found and the mend."""

from __future__ import annotations

import pytest

GOOD = """\
suite: pole
data:
  pole: {source: {environment: CartPole-v1, instances: 4}}
tasks:
  balance: {data: pole, objective: {name: a2c}}
train: {steps: 10, batch_size: 32, shards: 2}
"""
ROWS = "  rows: {source: rows.csv}\ntasks:\n  late: {data: rows, target: late, objective: classification}\n"

# (what stands in the good suite, what stands there instead, the one fault)
BENT = [
    (
        "environment: CartPole-v1",
        "name: CartPole-v1",
        "suite.yaml:3: data.pole.source: names no environment. Write {environment: CartPole-v1}, or {environment: recipe.py:function}.",
    ),
    ("instances: 4", "instances: 1.5", "suite.yaml:3: data.pole.source.instances: takes a whole number >= 1, not 1.5."),
    (
        "instances: 4}",
        "instances: 5}",
        "suite.yaml:3: data.pole.source.instances: each of 2 shards plays as many; 5 cannot be parted so. Take a multiple of 2.",
    ),
    (
        "instances: 4}",
        "instances: 4}, drop: [x]",
        "suite.yaml:3: data.pole.drop: is about rows, and an environment has none. Leave it out.",
    ),
    (
        "instances: 4}",
        "instances: 4}, clean: [missing]",
        "suite.yaml:3: data.pole.clean: is about rows, and an environment has none. Leave it out.",
    ),
    (
        "instances: 4}",
        "instances: 4}, split: {by: random, test: 0.5}",
        "suite.yaml:3: data.pole.split: is about rows, and an environment has none. Leave it out.",
    ),
    (
        "balance: {data: pole, ",
        "balance: {data: pole, target: x, ",
        "suite.yaml:5: tasks.balance.target: an environment has no column to predict. Leave target out.",
    ),
    (
        "train:",
        "  again: {data: pole, objective: {name: a2c}}\ntrain:",
        "suite.yaml:6: tasks.again.data: 'pole' is an environment, which one task plays: 'balance' does.",
    ),
    (
        "objective: {name: a2c}",
        "target: x, objective: regression",
        "suite.yaml:5: tasks.balance.objective: 'regression' learns from rows, and 'pole' is an environment. Take a2c, dqn.",
    ),
    (
        "source: {environment: CartPole-v1, instances: 4}",
        "source: rows.csv",
        "suite.yaml:5: tasks.balance.data: 'a2c' learns by acting, and this is a table. Give it a source like {environment: CartPole-v1}.",
    ),
    (
        "batch_size: 32",
        "batch_size: 33",
        "suite.yaml:6: train.batch_size: 'balance' draws as many rows for each of 2 shards. Take a multiple of 2.",
    ),
    (
        "batch_size: 32",
        "batch_size: 34",
        "suite.yaml:6: train.batch_size: 'balance' learns from as many steps of each of 4 instances. Take a multiple of 4.",
    ),
    (
        "steps: 10",
        "epochs: 2",
        "suite.yaml:6: train.epochs: an environment has no epochs. Write train.steps, the number of updates.",
    ),
]


@pytest.mark.parametrize(("found", "instead", "fault"), BENT, ids=[instead for _, instead, _ in BENT])
def test_a_fault_says_the_place_and_the_mend(write, faults, found: str, instead: str, fault: str) -> None:
    assert GOOD.count(found) == 1
    assert faults(write(GOOD.replace(found, instead))) == [fault]


def test_beside_a_table_every_step_takes_both(write, faults) -> None:
    mixed = GOOD.replace("tasks:\n", ROWS).replace("shards: 2", "shards: 2, mixture: uniform")
    assert faults(write(mixed))[:1] == ["suite.yaml:8: train.mixture: environments are played at every step. Take all."]


def test_a_suite_of_environments_has_no_fault(write) -> None:
    from polygraft.suite.load import load
    from polygraft.suite.schema import resolved

    suite = load(write(GOOD))
    assert load(write(GOOD)) == suite
    assert resolved(suite)["data"]["pole"]["source"] == {"environment": "CartPole-v1", "instances": 4}
