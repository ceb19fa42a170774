"""Runs that learn by acting: any number of workers, stops and SIGKILL end with the same bits, replay and history included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import toy_suite
from gloo_ranks import begin, take_part
from polygraft.assembly.job import lay_out, work
from polygraft.assembly.model import Model
from polygraft.assembly.run import MODEL, STOP, Run
from polygraft.assembly.scoring import evaluate
from polygraft.core.errors import RunFailed
from polygraft.suite.load import read
from polygraft.suite.origin import Origin
from polygraft.suite.schema import Suite
from same_end import assert_same_end
from waiting import until

STEPS = 60
TESTS = Path(__file__).parents[1]
OBJECTIVES: dict[str, dict[str, Any]] = {
    "dqn": {"warm_up": 40, "every": 2, "target_every": 7, "priority": 0.6, "n_step": 3, "replay": 96, "episodes": 30},
    "a2c": {"trace": 0.9, "episodes": 30},
}


def environments(home: Path, objective: str, **source: Any) -> Suite:
    """Two environments that share a trunk, each with a task of its own; and beside them the toy's table."""
    stem = {"stem": {"name": "columns", "width": 8}}
    walk = {"environment": "toy_environments.py:walk", "instances": 8, **source}
    raw = {
        "suite": "walks",
        "seed": 3,
        "data": {
            "short": {"source": {**walk, "limit": 11}, **stem},
            "pole": {"source": {"environment": "CartPole-v1", "instances": 4}, **stem},
            "rows": {"source": "toy.csv", "drop": ["delay"], **stem},
        },
        "backbone": {"name": "mlp", "widths": [16, 16], "dropout": 0.1},
        "tasks": {
            "go": {"data": "short", "objective": {"name": objective, **OBJECTIVES[objective]}},
            "balance": {"data": "pole", "objective": {"name": objective, **OBJECTIVES[objective]}},
            "late": {"data": "rows", "target": "late", "objective": "classification"},
        },
        "balancer": {"name": "pcgrad", "agreement_every": 0},
        "train": {"steps": STEPS, "batch_size": 32, "shards": 4, "log_every": 7, "evaluate_every": 30, "save_every": 5},
    }
    return read(raw, Origin("suite.yaml", home, {}))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environments")
    toy_suite.write_table(folder)
    (folder / "toy_environments.py").write_text((TESTS / "toy_environments.py").read_text())
    return folder


def begun(home: Path, name: str, objective: str, **source: Any) -> Path:
    folder = home / "walks" / f"{objective}-{name}"
    folder.mkdir(parents=True)
    lay_out(environments(home, objective, **source), folder)
    return folder


@pytest.fixture(scope="module")
def whole(home: Path) -> dict[str, Run]:
    """By objective, the run that nothing disturbed."""
    return {objective: work(begun(home, "whole", objective), attempt=1) for objective in OBJECTIVES}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_stopped_and_continued_it_ends_as_if_nothing_had_happened(
    home: Path, whole: dict[str, Run], objective: str
) -> None:
    folder = begun(home, "stopped", objective)
    (folder / STOP).touch()
    for step in range(1, 5):
        assert work(folder, attempt=step).step == step
    (folder / STOP).unlink()
    work(folder, attempt=5)
    assert_same_end(folder, whole[objective].folder)


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_killed_and_continued_by_two_workers_it_ends_as_one_does(
    home: Path, whole: dict[str, Run], objective: str
) -> None:
    folder = begun(home, "killed", objective)
    alone = begin(0, 1, folder, attempt=1)
    assert until(lambda: any(folder.glob("checkpoints/step-*/manifest.json")) or not alone.is_alive(), 120)
    assert alone.is_alive()
    alone.kill()
    alone.join()
    assert not (folder / f"checkpoints/step-{STEPS:08d}").exists(), "it was over before it was struck"
    other = begin(1, 2, folder, attempt=2)
    take_part(0, 2, folder, attempt=2)
    other.join()
    assert other.exitcode == 0
    assert_same_end(folder, whole[objective].folder)


def test_the_history_tells_what_was_played_and_each_environment_is_scored(whole: dict[str, Run]) -> None:
    run = whole["dqn"]
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    (told,) = [
        line["values"] for line in lines if line["step"] == STEPS and "environment/short/steps" in line["values"]
    ]
    assert told["environment/short/steps"] == 8 * (5 + 2 * (STEPS - 1)), (
        "a warm-up of 40, then 2 steps of each instance"
    )
    assert told["environment/pole/steps"] == 4 * (10 + 2 * (STEPS - 1))
    assert 0 <= told["environment/short/return"] <= 11
    assert told["environment/short/episodes"] >= 8 * 10
    assert {"go/return", "go/improvement", "balance/return", "late/auc"} <= run.metrics.keys()


def test_a_model_gives_actions_for_observations_and_plays_its_environment(home: Path, whole: dict[str, Run]) -> None:
    model = Model.load(whole["a2c"].folder / MODEL)
    rows = pd.DataFrame(np.zeros((3, 4)), columns=[f"observation_{j}" for j in range(4)])
    found = model.predict(rows, "pole")
    assert list(found) == ["balance", "balance_probability_0", "balance_probability_1", "balance_value"]
    assert set(found["balance"]) <= {"0", "1"}
    scores = evaluate(model, "CartPole-v1", "pole")
    assert scores["balance/return"] == whole["a2c"].metrics["balance/return"]


def test_an_environment_that_fails_ends_the_run_and_what_was_saved_is_intact(home: Path) -> None:
    folder = begun(home, "failing", "dqn", raises_at=9, end=99.0)
    with pytest.raises(
        RunFailed, match=r"the environment 'toy_environments.py:walk' of 'short' \(random\), instance 0"
    ):
        work(folder, attempt=1)


def test_a_pole_is_held_longer_the_more_was_learned(tmp_path: Path) -> None:
    """DQN on CartPole in some seconds: several times the return of random actions."""
    objective = {"name": "dqn", "warm_up": 500, "every": 4, "target_every": 100, "explore_until": 0.3, "episodes": 10}
    raw = {
        "suite": "pole",
        "seed": 1,
        "data": {"pole": {"source": {"environment": "CartPole-v1", "instances": 1}}},
        "backbone": {"name": "mlp", "widths": [64, 64]},
        "tasks": {"balance": {"data": "pole", "objective": objective}},
        "train": {
            "steps": 1500,
            "batch_size": 64,
            "shards": 1,
            "optimizer": {"name": "adamw", "lr": 1e-3},
            "evaluate_every": 300,
        },
    }
    folder = tmp_path / "pole" / "learns"
    folder.mkdir(parents=True)
    lay_out(read(raw, Origin("suite.yaml", tmp_path, {})), folder)
    assert work(folder, attempt=1).metrics["balance/return"] > 100
