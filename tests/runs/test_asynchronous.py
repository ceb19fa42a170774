"""Workers that learn apart: their gradients at equal parameters are one process's, they learn, and what is kept goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import toy_suite
from gloo_ranks import begin, take_part
from polygraft.assembly.experiments import experiment
from polygraft.assembly.job import lay_out
from polygraft.assembly.run import RESULT
from polygraft.assembly.tables import prepare_tables
from polygraft.suite.load import read
from polygraft.suite.origin import Origin
from polygraft.suite.schema import Suite
from polygraft.training.experiment import Experiment
from waiting import until

STEPS = 40


def suite(home: Path, step: str = "joint", *, beside: str = "rows") -> Suite:
    """A pole, and beside it a table or another pole, on one trunk; learned from in 4 shards."""
    stem = {"stem": {"name": "columns", "width": 8}}
    pole = {"source": {"environment": "CartPole-v1", "instances": 4}, **stem}
    acting = {"name": "a2c", "episodes": 10}
    late = {"data": "rows", "target": "late", "objective": "classification"}
    raw: dict[str, Any] = {
        "suite": "apart",
        "seed": 3,
        "data": {
            "pole": pole,
            **({"rows": {"source": "toy.csv", "drop": ["delay"], **stem}} if beside == "rows" else {"other": pole}),
        },
        "backbone": {"name": "mlp", "widths": [16, 16], "dropout": 0.1},
        "tasks": {
            "balance": {"data": "pole", "objective": acting},
            "late": late if beside == "rows" else {"data": "other", "objective": acting},
        },
        "train": {
            "step": step,
            "steps": STEPS,
            "batch_size": 64,
            "shards": 4,
            "log_every": 10,
            "evaluate_every": 20,
            "save_every": 10,
        },
        "workers": 3 if step == "asynchronous" else 1,
    }
    return read(raw, Origin("suite.yaml", home, {}))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asynchronous")
    toy_suite.write_table(folder)
    return folder


def gradient(running: Experiment) -> tuple[list[torch.Tensor], dict[str, float]]:
    """Of a fresh run's first batch."""
    state = running.state(None)
    step: Any = running.step
    measured = step.pull(state, running.stream, step.draw(state, running.stream))
    return [each.grad.clone() for each in running.learner.parameters() if each.grad is not None], measured.label_weights


def test_at_equal_parameters_the_learners_gradients_are_together_one_process_s(home: Path) -> None:
    """Their mean, as each has as many rows."""
    said, cache = suite(home, beside="other"), home / "cache"
    whole, _ = gradient(experiment(said, prepare_tables(said, cache)))
    parts = [gradient(experiment(said, prepare_tables(said, cache), shards=each)) for each in (range(2), range(2, 4))]
    (one, weights), (other, same) = parts
    assert weights == same == {"balance": 32.0, "late": 32.0}
    assert len(one) == len(whole) == len(list(experiment(said, prepare_tables(said, cache)).learner.parameters()))
    for mine, yours, wanted in zip(one, other, whole, strict=True):
        assert torch.allclose(0.5 * (mine + yours), wanted, atol=1e-6, rtol=1e-5)
    assert not torch.allclose(one[0], other[0], atol=1e-4), "each has rows of its own"


@pytest.fixture(scope="module")
def learned(home: Path) -> Path:
    """A run by a keeper and two learners."""
    folder = home / "apart" / "learned"
    folder.mkdir(parents=True)
    lay_out(suite(home, "asynchronous"), folder)
    learners = [begin(rank, 3, folder, attempt=1) for rank in (1, 2)]
    take_part(0, 3, folder, attempt=1)
    for each in learners:
        each.join()
        assert each.exitcode == 0, "a learner was not let go"
    return folder


@pytest.mark.slow
def test_every_update_is_a_learner_s_and_its_staleness_is_in_the_history(learned: Path) -> None:
    lines = [json.loads(line) for line in (learned / "metrics.jsonl").read_text().splitlines()]
    told = [line["values"] for line in lines if "asynchronous/staleness" in line["values"]]
    assert len(told) == STEPS // 10
    assert any(values["asynchronous/staleness_most"] >= 1 for values in told), "two learners step on each other's toes"
    assert told[-1]["environment/pole/steps"] >= STEPS * 32
    assert json.loads((learned / RESULT).read_text())["status"] == "finished"
    assert json.loads((learned / RESULT).read_text())["metrics"]["late/auc"] > 0.5


@pytest.mark.slow
def test_a_keeper_that_is_killed_goes_on_from_what_it_had_saved(home: Path) -> None:
    folder = home / "apart" / "killed"
    folder.mkdir(parents=True)
    lay_out(suite(home, "asynchronous"), folder)
    group = [begin(rank, 3, folder, attempt=1) for rank in range(3)]
    assert until(lambda: any(folder.glob("checkpoints/step-*/manifest.json")), 300)
    for each in group:
        each.kill()
        each.join()
    again = [begin(rank, 3, folder, attempt=2) for rank in (1, 2)]
    take_part(0, 3, folder, attempt=2)
    for each in again:
        each.join()
    assert json.loads((folder / RESULT).read_text())["step"] == STEPS
