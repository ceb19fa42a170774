"""Every way of sharing under every mixture of two tables: the gradient is autograd's, what a step leaves out stays, and a run goes on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from polygraft.core.catalogue import catalogue
from polygraft.training.experiment import Experiment
from polygraft.training.state import State
from polygraft.training.steps.joint import Joint

OF = {"left": ("late", "delay"), "right": ("kind", "size")}
MIXTURES = {
    name: {"fixed": "{name: fixed, shares: {left: 1, right: 2}}"}.get(name, name)
    for name in catalogue("data/mixing").names()
}
every_sharing = pytest.mark.parametrize("sharing", catalogue("models/sharing").names())
every_mixture = pytest.mark.parametrize("mixture", MIXTURES)


def overrides(sharing: str, mixture: str, balancer: str = "equal") -> list[str]:
    return [f"sharing={sharing}", f"train.mixture={MIXTURES[mixture]}", f"balancer={balancer}"]


def own_parts(made: Experiment, table: str) -> list[Tensor]:
    """What only this table's tasks train: its stem, their heads, and their own part of the sharing."""
    network = made.learner.network
    own = [each for task in OF[table] for each in network.own_parameters(task)]
    return [*network.stems[table].parameters(), *own]


def copies(tensors: list[Tensor]) -> list[Tensor]:
    return [each.detach().clone() for each in tensors]


def equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(map(torch.equal, one, other))


@every_sharing
@every_mixture
def test_the_gradient_is_that_of_the_weighted_means_of_the_tables_that_were_taken(
    begun, sharing: str, mixture: str
) -> None:
    """An oracle: plain autograd of the step's own graphs, the tasks' weights, which differ, taken from the method."""
    made, state = begun(*overrides(sharing, mixture, "pcgrad"))
    step, network = made.step, made.learner.network
    assert isinstance(step, Joint)
    step.update(state, made.stream)
    (batches,) = step.draw(state, made.stream)
    network.sharing.advance(state.step / step.learning.steps)
    measured = state.gradients.backward(step.tapes(state, batches), state.step)
    tables = [table for table in OF if set(OF[table]) <= set(measured.tasks)]
    assert len(tables) == (2 if mixture == "all" else 1)
    assert set(measured.tasks) == {task for table in tables for task in OF[table]}

    tapes = step.tapes(state, batches)
    means = {
        task: sum((tape.losses[task] for tape in tapes), torch.zeros(())) / sum(float(t.weights[task]) for t in tapes)
        for task in measured.tasks
    }
    assert measured.weights is not None
    followed = sum(
        (w * means[t] for w, t in zip(measured.weights.float(), measured.tasks, strict=True)), torch.zeros(())
    )
    shared = network.shared_parameters()
    wanted = torch.autograd.grad(followed, shared, retain_graph=True, materialize_grads=True, allow_unused=True)
    for parameter, gradient in zip(shared, wanted, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)
    for task in (task for table in OF for task in OF[table]):
        own = network.own_parameters(task)
        if task not in means:
            assert all(each.grad is None for each in own)
            continue
        for parameter, gradient in zip(own, torch.autograd.grad(means[task], own, retain_graph=True), strict=True):
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


@every_sharing
@every_mixture
def test_what_is_a_tables_own_rests_while_it_is_left_out_and_a_run_goes_on_from_its_state(
    begun, sharing: str, mixture: str
) -> None:
    """AdamW with decay: neither a moment nor the decay moves what took no part."""
    made, state = begun(*overrides(sharing, mixture))
    for number in range(4):
        before = {table: copies(own_parts(made, table)) for table in OF}
        shared = copies(list(made.learner.network.sharing.shared_parameters()))
        measured = made.step.update(state, made.stream)
        for table in OF:
            assert equal(before[table], own_parts(made, table)) == (OF[table][0] not in measured.tasks)
        assert not equal(shared, list(made.learner.network.sharing.shared_parameters()))
        if number == 1:
            snapshot = state.snapshot()
            half = {part: {k: each.clone() for k, each in named.items()} for part, named in snapshot.tensors.items()}
    other, _ = begun(*overrides(sharing, mixture))
    snapshot.tensors.update(half)
    again: State = other.state(snapshot)
    for _ in range(2):
        other.step.update(again, other.stream)
    assert equal(list(other.learner.parameters()), list(made.learner.parameters()))
