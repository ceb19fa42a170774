"""What a way of sharing is, for every one of them on every kind of trunk: who learns what, and where they part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from polygraft.core.catalogue import catalogue
from polygraft.core.errors import UserError
from polygraft.models.network import Network
from sharing_toy import EXCEPTIONS, KINDS, REFUSED, ROWS, TASKS, TRUNKS, VARIANTS, batch, chosen, losses, network

Settings = Mapping[str, Any]
ONCE = [next(each for each in VARIANTS if each[0] == name) for name in catalogue("models/sharing")]
CASES = [(name, settings, kind) for name, settings in VARIANTS for kind in KINDS]
CASES += [(name, settings, kind) for name, settings in ONCE for kind in TRUNKS if (name, kind) not in REFUSED]


def title(value: object) -> str:
    return value if isinstance(value, str) else ",".join(f"{k}={v}" for k, v in dict(value).items()) or "-"  # type: ignore[call-overload]


every_case = pytest.mark.parametrize(("name", "settings", "kind"), CASES, ids=title)


def every_case_where(law: str) -> pytest.MarkDecorator:
    """Every case but the exceptions to this law."""
    cases = [case for case in CASES if case[0] not in EXCEPTIONS[law]]
    return pytest.mark.parametrize(("name", "settings", "kind"), cases, ids=title)


def outputs(net: Network, rows: Any = None, *, seed: int = 7, **options: Any) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return dict(net.view({"flights": rows or batch()}, **options).outputs)


@every_case
def test_every_parameter_is_shared_or_one_tasks_own(name: str, settings: Settings, kind: str) -> None:
    net = network(name, settings, kind)
    parts = [net.shared_parameters(), *(net.own_parameters(task) for task in TASKS)]
    together = [parameter for part in parts for parameter in part]
    assert len(together) == len(set(together))
    assert set(together) == set(net.parameters())


@every_case
def test_a_loss_reaches_all_that_is_shared_all_its_own_and_nobody_elses(
    name: str, settings: Settings, kind: str
) -> None:
    net = network(name, settings, kind)
    names = {parameter: key for key, parameter in net.named_parameters()}
    found = losses(outputs(net))
    for task in TASKS:
        mine = [*net.shared_parameters(), *net.own_parameters(task)]
        others = [each for other in TASKS if other != task for each in net.own_parameters(other)]
        gradients = torch.autograd.grad(found[task], [*mine, *others], retain_graph=True, allow_unused=True)
        unreached = [names[p] for p, g in zip(mine, gradients, strict=False) if g is None or not bool(g.any())]
        assert not unreached
        assert [names[p] for p, g in zip(others, gradients[len(mine) :], strict=True) if g is not None] == []


@every_case
def test_gradients_through_the_cut_are_autograds_task_by_task(name: str, settings: Settings, kind: str) -> None:
    """Stronger than of the sum: each task's gradient at its aliases, pushed through the shared part, is its whole gradient."""
    net = network(name, settings, kind)
    shared = net.shared_parameters()
    assert "features" in net.modes
    torch.manual_seed(7)
    view = net.view({"flights": batch()}, aliased=True)
    apart, cut, plain = dict(view.outputs), view.cut(), outputs(net)
    assert cut is not None
    assert all(len(each) == ROWS for each in cut.features)
    whole, parted = losses(plain), losses(apart)
    for task in TASKS:
        assert torch.equal(plain[task], apart[task])
        own = net.own_parameters(task)
        wanted = torch.autograd.grad(whole[task], [*shared, *own], retain_graph=True)
        assert all(
            each is None for each in torch.autograd.grad(parted[task], shared, retain_graph=True, allow_unused=True)
        ), "gradient leaks around the cut"
        ends = cut.aliases[task]
        found = torch.autograd.grad(parted[task], [*ends, *own], retain_graph=True, allow_unused=True)
        pairs = [(f, g) for f, g in zip(cut.features, found, strict=False) if g is not None]
        pushed = torch.autograd.grad(
            [f for f, _ in pairs], shared, [g for _, g in pairs], retain_graph=True, materialize_grads=True
        )
        assert_close([*pushed, *found[len(ends) :]], list(wanted), rtol=1e-9, atol=1e-12)


@every_case
def test_no_row_looks_at_another(name: str, settings: Settings, kind: str) -> None:
    net, rows = network(name, settings, kind), batch()
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(2))
    for training in (True, False):
        net.train(training)
        whole = outputs(net, rows)
        permuted, few = outputs(net, chosen(rows, order)), outputs(net, chosen(rows, order[:3]))
        for task in TASKS:
            assert_close(permuted[task], whole[task][order])
            assert_close(few[task], whole[task][order[:3]])


@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=title)
def test_evaluation_is_deterministic_and_draws_nothing(name: str, settings: Settings) -> None:
    net = network(name, settings).eval()
    first = outputs(net, seed=1)
    before = torch.get_rng_state()
    second = dict(net.view({"flights": batch()}).outputs)
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[task], second[task]) for task in TASKS)


@every_case_where("training sees what evaluation sees")
def test_training_sees_what_evaluation_sees(name: str, settings: Settings, kind: str) -> None:
    net = network(name, settings, kind)
    learning = outputs(net)
    assert_close(outputs(net.eval()), learning)


@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=title)
def test_weights_load_strictly_into_a_fresh_network(name: str, settings: Settings) -> None:
    net, other = network(name, settings), network(name, settings)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    assert not torch.equal(outputs(net)["late"], outputs(other)["late"])
    other.load_state_dict(net.state_dict(), strict=True)
    for training in (True, False):
        mine, theirs = outputs(net.train(training)), outputs(other.train(training))
        assert all(torch.equal(mine[task], theirs[task]) for task in TASKS)


@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=title)
def test_other_parameters_are_used_in_place_of_its_own(name: str, settings: Settings) -> None:
    net = network(name, settings)
    changed = {key: weight.detach() + 0.1 for key, weight in net.named_parameters()}
    found = outputs(net, parameters=changed)
    with torch.no_grad():
        for key, weight in net.named_parameters():
            weight.copy_(changed[key])
    assert_close(outputs(net), found, rtol=0, atol=0)


@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=title)
def test_tasks_of_several_tables_share_too(name: str, settings: Settings) -> None:
    net = network(name, settings, tables={"flights": ("late", "delay"), "weather": ("kind",)})
    assert net.modes == ("parameters",)
    found = dict(net.view({"flights": batch(5), "weather": batch(3, seed=2)}).outputs)
    assert {task: len(each) for task, each in found.items()} == {"late": 5, "delay": 5, "kind": 3}
    sum(each.square().sum() for each in found.values()).backward()
    assert all(each.grad is not None for each in net.parameters())
    alone = net.eval().view({"weather": batch(3, seed=2)}).outputs
    assert list(alone) == ["kind"]


@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=title)
def test_one_task_may_share_with_nobody(name: str, settings: Settings) -> None:
    net = network(name, settings, tables={"flights": ("late",)})
    losses(outputs(net))["late"].backward()
    unreached = [key for key, each in net.named_parameters() if each.grad is None]
    assert not unreached


@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=title)
def test_a_frozen_shared_part_leaves_heads_to_learn(name: str, settings: Settings) -> None:
    net = network(name, settings)
    for parameter in net.shared_parameters():
        parameter.requires_grad_(False)
    assert net.shared_parameters() == []
    view = net.view({"flights": batch()}, aliased=True)
    sum(losses(view.outputs).values()).backward()
    assert view.cut() is not None
    assert all(each.grad is not None for task in TASKS for each in net.own_parameters(task))


@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=title)
def test_what_leads_to_nothing_that_learns_is_no_part_of_the_cut(name: str, settings: Settings) -> None:
    """Numbers as they came from a table: a gradient by them would be compared, and nobody would follow it."""
    net = network(name, settings)
    for parameter in net.stems.parameters():
        parameter.requires_grad_(False)
    view = net.view({"flights": batch()}, aliased=True)
    shared = torch.autograd.grad(sum(each.sum() for each in view.cut().features), net.shared_parameters())  # type: ignore[union-attr,arg-type]
    assert all(each.requires_grad for each in view.cut().features)  # type: ignore[union-attr]
    assert len(shared) == len(net.shared_parameters())


@pytest.mark.parametrize(("name", "kind"), REFUSED)
def test_a_trunk_that_a_way_of_sharing_does_not_allow_is_refused_in_words(name: str, kind: str) -> None:
    with pytest.raises(UserError, match=REFUSED[name, kind]):
        outputs(network(name, {}, kind))


def test_every_trunk_is_tried() -> None:
    assert {*TRUNKS, "mlp"} == set(catalogue("models/trunks"))


def test_exceptions_are_of_ways_of_sharing_that_there_are() -> None:
    assert {name for law in EXCEPTIONS.values() for name in law} <= set(catalogue("models/sharing"))
