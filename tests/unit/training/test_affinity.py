"""Affinities: the first order against the true look-ahead, and no trace of either in what is learned."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import toy_suite
from polygraft.assembly.experiments import experiment
from polygraft.assembly.tables import prepare_tables
from polygraft.studies.affinity import summed_up
from polygraft.training.affinity import Measuring
from polygraft.training.experiment import Experiment
from polygraft.training.state import State
from polygraft.training.steps.joint import Joint

SMOOTH = {"name": "mlp", "widths": [16, 8], "activation": "gelu", "dropout": 0.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("affinity")
    toy_suite.write_table(place)
    return place


def made(folder: Path, **changes: object) -> Experiment:
    suite = toy_suite.toy(folder, **changes)
    return experiment(suite, prepare_tables(suite, folder / "cache"))


def walked(running: Experiment, steps: int) -> State:
    state = running.state(None)
    for _ in range(steps):
        running.step.update(state, running.stream)
    return state


def measuring(running: Experiment, **settings: float) -> Measuring:
    assert isinstance(running.step, Joint)
    running.step = step = Measuring(running.step, **settings)
    return step


def test_with_small_steps_the_first_order_is_the_true_look_ahead(folder: Path) -> None:
    running = made(folder, backbone=SMOOTH)
    step = measuring(running, own_gain=1e-3)
    walked(running, 51)
    assert [each.step for each in step.found] == [0, 10, 20, 30, 40, 50]
    assert [each.step for each in step.found if each.ahead is not None] == [0, 50]
    found = summed_up(running.gradients.tasks, running.gradients.tasks, step.found)
    assert found.agreement is not None
    assert found.agreement > 0.99
    for each in step.found:
        assert float(each.first_order.diagonal().max()) == pytest.approx(1e-3)
        if each.ahead is not None:
            torch.testing.assert_close(each.ahead, each.first_order, rtol=0.05, atol=2e-6)


@pytest.mark.parametrize("balancer", ["pcgrad", "equal", "famo"])
def test_a_measured_run_learns_what_an_unmeasured_one_does_to_the_bit(folder: Path, balancer: str) -> None:
    plain, measured = (made(folder, balancer={"name": balancer}) for _ in range(2))
    step = measuring(measured)
    one, other = walked(plain, 52).snapshot(), walked(measured, 52).snapshot()
    assert len(step.found) == 6
    assert one.tensors.keys() == other.tensors.keys()
    for part, tensors in one.tensors.items():
        assert tensors.keys() == other.tensors[part].keys()
        for name, tensor in tensors.items():
            assert torch.equal(tensor, other.tensors[part][name]), (part, name)


def test_a_look_ahead_moves_the_shared_parameters_alone(folder: Path) -> None:
    """An oracle: the loss of a copy of the network whose shared parameters took the step by hand."""
    running = made(folder, backbone=SMOOTH, balancer={"name": "equal"})
    step, state = measuring(running), running.state(None)
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
    found = step._measured(state, batches[0]).ahead
    assert found is not None
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64), rtol=1e-2, atol=2e-6)
