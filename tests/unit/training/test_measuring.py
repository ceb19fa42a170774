"""Affinities: the first order against the true look-ahead, and no trace of either in what is learned."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import toy_suite
from polygraft.assembly.experiments import experiment
from polygraft.assembly.tables import prepare_tables
from polygraft.balancing.gradients import Measured
from polygraft.core.errors import UserError
from polygraft.training.experiment import Experiment
from polygraft.training.state import State
from polygraft.training.steps.measuring import Measuring

SMOOTH = {"name": "mlp", "widths": [16, 8], "activation": "gelu", "dropout": 0.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("affinity")
    toy_suite.write_table(place)
    return place


def made(folder: Path, **changes: object) -> Experiment:
    suite = toy_suite.toy(folder, **changes)
    return experiment(suite, prepare_tables(suite, folder / "cache"))


def walked(running: Experiment, steps: int) -> tuple[State, list[Measured]]:
    state = running.state(None)
    return state, [running.step.update(state, running.stream) for _ in range(steps)]


def measuring(folder: Path, *, own_gain: float = 0.01, **changes: object) -> Experiment:
    return made(folder, train={"step": {"name": "measuring", "own_gain": own_gain}}, **changes)


def squares(measured: Measured, tasks: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """[K, K] by kind, of what the history is told."""
    kinds = dict.fromkeys(key.split("/")[1] for key in measured.beside)
    return {
        kind: torch.tensor([[measured.beside[f"affinity/{kind}/{i}/{j}"] for j in tasks] for i in tasks])
        for kind in kinds
    }


def test_with_small_steps_the_first_order_is_the_true_look_ahead(folder: Path) -> None:
    running = measuring(folder, backbone=SMOOTH, own_gain=1e-3)
    told = [squares(each, running.gradients.tasks) for each in walked(running, 51)[1]]
    assert [step for step, each in enumerate(told) if each] == [0, 10, 20, 30, 40, 50]
    assert [step for step, each in enumerate(told) if "ahead" in each] == [0, 50]
    for each in filter(None, told):
        assert float(each["first_order"].diagonal().max()) == pytest.approx(1e-3)
        if "ahead" in each:
            torch.testing.assert_close(each["ahead"], each["first_order"], rtol=0.05, atol=2e-6)


def test_the_number_of_shards_changes_roundings_alone(folder: Path) -> None:
    """Bits do not depend on the workers either: tests/runs/test_affinity.py."""
    found = []
    for shards in (1, 2, 3, 4):
        train = {"shards": shards, "step": {"name": "measuring"}}
        running = made(folder, backbone=SMOOTH, train=train)
        found.append(squares(walked(running, 1)[1][0], running.gradients.tasks))
    for each in found[1:]:
        torch.testing.assert_close(each, found[0], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("balancer", ["pcgrad", "equal", "famo"])
def test_a_measured_run_learns_what_an_unmeasured_one_does_to_the_bit(folder: Path, balancer: str) -> None:
    plain, measured = (make(folder, balancer={"name": balancer}) for make in (made, measuring))
    one, (state, told) = walked(plain, 52)[0].snapshot(), walked(measured, 52)
    other = state.snapshot()
    assert sum(bool(each.beside) for each in told) == 6
    assert one.tensors.keys() == other.tensors.keys()
    for part, tensors in one.tensors.items():
        assert tensors.keys() == other.tensors[part].keys()
        for name, tensor in tensors.items():
            assert torch.equal(tensor, other.tensors[part][name]), (part, name)


def test_a_look_ahead_moves_the_shared_parameters_alone(folder: Path) -> None:
    """An oracle: the loss of a copy of the network whose shared parameters took the step by hand."""
    running = measuring(folder, backbone=SMOOTH, balancer={"name": "equal"})
    step, state = running.step, running.state(None)
    assert isinstance(step, Measuring)
    batches = step.joint.draw(state, running.stream)
    network, tasks = running.learner.network, running.gradients.tasks

    def means(graph: bool) -> list[torch.Tensor]:
        with torch.set_grad_enabled(graph):
            tapes = step.joint.tapes(state, batches[0])
        return [sum(t.losses[k] for t in tapes) / sum(float(t.weights[k]) for t in tapes) for k in tasks]

    shared, before = network.shared_parameters(), means(graph=True)
    rows = [torch.autograd.grad(loss, shared, retain_graph=True) for loss in before]
    lr = 0.01 / max(
        float(sum((g * g).sum() for g in row) / loss.detach()) for row, loss in zip(rows, before, strict=True)
    )
    wanted = []
    for row in rows:
        kept = [each.detach().clone() for each in shared]
        with torch.no_grad():
            for each, gradient in zip(shared, row, strict=True):
                each -= lr * gradient
            wanted.append([float(1 - a / b.detach()) for a, b in zip(means(graph=False), before, strict=True)])
            for each, old in zip(shared, kept, strict=True):
                each.copy_(old)
    found = step.measured(state, batches[0])
    assert found is not None
    assert found.ahead is not None
    torch.testing.assert_close(found.ahead, torch.tensor(wanted, dtype=torch.float64), rtol=1e-2, atol=2e-6)


def test_tasks_that_share_no_parameter_have_no_affinity(folder: Path) -> None:
    running = measuring(folder)
    running.gradients.shared = []
    with pytest.raises(UserError, match="measured on the parameters that tasks share, and these share none"):
        walked(running, 1)
