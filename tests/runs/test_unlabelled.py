"""Tasks without labels beside one with them: exact for any number of workers, nothing lost, scored and served as all others."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch.testing import assert_close

import toy_suite
from polygraft.assembly.experiments import experiment
from polygraft.assembly.job import lay_out, work
from polygraft.assembly.model import Model
from polygraft.assembly.run import STOP, Run
from polygraft.assembly.scoring import evaluate
from polygraft.assembly.tables import prepare_tables
from polygraft.core.seeding import seed_torch
from same_end import assert_same_end
from unlabelled_runs import TASKS, run_on, suite

KINDS = list(TASKS)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs lie, over one table; they share a cache."""
    folder = tmp_path_factory.mktemp("unlabelled")
    toy_suite.write_table(folder, rows=600)
    return folder


@pytest.fixture(scope="module")
def alone(home: Path) -> dict[str, Run]:
    """A run of each suite in this process, undisturbed."""
    ended = {}
    for kind in KINDS:
        folder = home / "toy" / f"{kind}-alone"
        folder.mkdir(parents=True)
        lay_out(suite(home, kind), folder)
        ended[kind] = work(folder, attempt=1)
    return ended


@pytest.mark.parametrize("kind", KINDS)
def test_stopped_after_every_step_it_ends_with_the_bits_of_an_undisturbed_run(home, alone, kind) -> None:
    folder = home / "toy" / f"{kind}-stopped"
    folder.mkdir()
    lay_out(suite(home, kind), folder)
    (folder / STOP).touch()
    for step in range(1, 6):
        assert work(folder, attempt=step).step == step
    (folder / STOP).unlink()
    work(folder, attempt=6)
    assert_same_end(folder, alone[kind].folder)


@pytest.mark.slow
def test_the_number_of_workers_does_not_change_a_bit(home, alone) -> None:
    """Three workers hold one, two and two of the five shards; they are started once and run every suite."""
    run_on(3, home, {kind: home / "toy" / f"{kind}-three" for kind in KINDS})
    for kind in KINDS:
        assert_same_end(home / "toy" / f"{kind}-three", alone[kind].folder)


@pytest.mark.parametrize("kind", KINDS)
def test_each_task_is_scored_by_finite_numbers_that_its_objective_names(alone, kind) -> None:
    run, made = alone[kind], Model.load(alone[kind].folder / "model")
    for task in (*TASKS[kind], "delay"):
        found = {key.split("/")[1]: each for key, each in run.metrics.items() if key.startswith(f"{task}/")}
        assert {"improvement"} < found.keys() <= made.objective(task).better.keys()
        assert all(map(math.isfinite, found.values()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_scores_and_predicts_a_file_without_labels(home, alone, kind) -> None:
    model = Model.load(alone[kind].folder / "model")
    rows = pd.read_csv(home / "toy.csv")
    predicted = model.predict(rows.drop(columns=["delay", "late"]))
    assert len(predicted) == len(rows)
    assert not predicted.isna().any().any()
    again = model.predict(rows.drop(columns=["delay", "late"]))
    pd.testing.assert_frame_equal(predicted, again, check_exact=True)
    found = evaluate(model, home / "toy.csv")
    assert {key.split("/")[0] for key in found} == {*TASKS[kind], "delay"}


def test_predicting_leaves_the_caller_s_chance_alone(home, alone) -> None:
    model = Model.load(alone["columns"].folder / "model")
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    model.predict(pd.read_csv(home / "toy.csv").head(9))
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_the_sum_of_the_tasks_gradients_is_autograd_s(home, kind) -> None:
    """Equal weights on parameters: what `main` is given is the plain gradient of the summed mean losses, every pass in it."""
    said = suite(home, kind)
    running = experiment(said, prepare_tables(said, home / "cache"))
    state = running.state(None)
    running.step._move = lambda state: None
    batches = running.step.draw(state, running.stream)
    losses = {task: [0.0, 0.0] for task in said.tasks}
    for number, shard in enumerate(batches[0]):
        seed_torch(said.seed, 0, number, "forward")
        view = state.learner.network.view(shard)
        for task, objective in state.learner.tasks():
            found = objective.losses(view, shard)
            losses[task] = [losses[task][0] + found.total, losses[task][1] + found.weight]
    sum(total / weight for total, weight in losses.values()).backward()
    wanted = {name: each.grad for name, each in state.learner.named_parameters() if each.grad is not None}
    state.learner.zero_grad()
    state.gradients.balancer.weigh = lambda tasks: torch.ones(len(said.tasks))
    state.gradients.backward(running.step.tapes(state, batches[0]), 0)
    for name, each in state.learner.named_parameters():
        if name in wanted or each.grad is not None:
            assert_close(each.grad, wanted[name], rtol=1e-4, atol=1e-6)
    assert state.gradients.mode == "parameters"
