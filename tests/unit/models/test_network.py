"""Laws of Network and View: lazy, one pass a table, the same with other parameters, and a cut whose gradients add up."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close


def losses(view):
    return {task: outputs.square().sum() for task, outputs in view.outputs.items()}


def count(module: nn.Module) -> list[int]:
    calls: list[int] = []
    module.register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_nothing_runs_before_it_is_read(make_network, make_batch):
    network = make_network()
    calls = count(network.sharing.trunk)
    view = network.view({"flights": make_batch()})
    assert not calls
    view.outputs["late"]
    assert len(calls) == 1


@pytest.mark.parametrize("aliased", [False, True])
def test_each_tables_trunk_runs_once_however_often_it_is_read(make_network, make_batch, aliased):
    network = make_network({"flights": ("late", "delay"), "weather": ("kind",)})
    trunk, head = count(network.sharing.trunk), count(network.heads["late"])
    view = network.view({"flights": make_batch(), "weather": make_batch(5)}, aliased=aliased)
    for _ in range(3):
        assert set(view.outputs) == {"late", "delay", "kind"}
        assert [len(view.outputs[task]) for task in ("late", "delay", "kind")] == [12, 12, 5]
        view.features["late"]
        view.cut()
    assert len(trunk) == 2
    assert len(head) == 1


def test_a_view_of_one_table_has_that_tables_tasks_alone(make_network, make_batch):
    network = make_network({"flights": ("late", "delay"), "weather": ("kind",)})
    view = network.view({"weather": make_batch()})
    assert list(view.outputs) == ["kind"]
    assert len(view.features) == 1


def test_other_parameters_are_used_in_place_of_the_networks_own(make_network, make_batch):
    network, batch = make_network(), {"flights": make_batch()}
    changed = {name: weight.detach() + 0.1 for name, weight in network.named_parameters()}
    found = network.view(batch, parameters=changed).outputs["kind"]
    own = network.view(batch).outputs["kind"].detach()
    assert not torch.equal(found, own)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            weight.copy_(changed[name])
    assert torch.equal(found, network.view(batch).outputs["kind"])


def test_some_parameters_may_be_given_and_the_aliased_view_takes_them_too(make_network, make_batch):
    network, batch = make_network(), {"flights": make_batch()}
    name = "sharing.trunk.stages.0.linear.weight"
    changed = {name: torch.zeros_like(network.get_parameter(name))}
    plain = network.view(batch, parameters=changed)
    aliased = network.view(batch, parameters=changed, aliased=True)
    assert torch.equal(plain.outputs["late"], aliased.outputs["late"])
    assert not torch.equal(plain.outputs["late"], network.view(batch).outputs["late"])
    assert aliased.cut().layer_output is not None


def test_second_order_gradients_flow_through_given_parameters(make_network, make_batch):
    network, batch = make_network(trunk={"activation": "gelu"}), {"flights": make_batch()}
    own = dict(network.named_parameters())
    first = sum(losses(network.view(batch, parameters=own)).values())
    slopes = torch.autograd.grad(first, list(own.values()), create_graph=True)
    moved = {name: weight - 0.01 * slope for (name, weight), slope in zip(own.items(), slopes, strict=True)}
    sum(losses(network.view(batch, parameters=moved)).values()).backward()
    assert all(weight.grad is not None and bool(weight.grad.isfinite().all()) for weight in own.values())


@pytest.mark.parametrize("trunk", [{}, {"norm": "layer"}, {"activation": "silu"}, {"dropout": 0.3}])
def test_an_aliased_view_gives_the_same_outputs(make_network, make_batch, trunk):
    network, batch = make_network(trunk=trunk), {"flights": make_batch()}
    found = []
    for aliased in (False, True):
        torch.manual_seed(3)
        found.append(dict(network.view(batch, aliased=aliased).outputs))
    for task in found[0]:
        assert torch.equal(found[0][task], found[1][task])


@pytest.mark.parametrize("trunk", [{}, {"norm": "layer"}, {"activation": "silu"}, {"dropout": 0.3}])
def test_the_aliases_gradients_pushed_through_the_trunk_are_the_plain_gradient(make_network, make_batch, trunk):
    network, batch = make_network(trunk=trunk), {"flights": make_batch()}
    shared = network.shared_parameters()
    torch.manual_seed(3)
    plain = torch.autograd.grad(sum(losses(network.view(batch)).values()), shared)
    torch.manual_seed(3)
    view = network.view(batch, aliased=True)
    found = losses(view)
    cut = view.cut()
    pushed = [torch.autograd.grad(found[task], cut.aliases[task])[0] for task in found]
    assert_close(torch.autograd.grad(cut.features, shared, sum(pushed)), plain)


@pytest.mark.parametrize("trunk", [{}, {"norm": "layer"}, {"dropout": 0.3}])
def test_the_cut_knows_the_last_layers_input_and_output(make_network, make_batch, trunk):
    network, batch = make_network(trunk=trunk), {"flights": make_batch()}
    layer = network.last_layer()
    view = network.view(batch, aliased=True)
    cut = view.cut()
    assert_close(layer(cut.layer_input), cut.layer_output)
    assert not cut.layer_input.requires_grad
    wanted = torch.autograd.grad(cut.features[0].square().sum(), (layer.weight, layer.bias), retain_graph=True)
    slope = torch.autograd.grad(cut.features[0].square().sum(), cut.layer_output)[0]
    assert_close((slope.T @ cut.layer_input, slope.sum(0)), wanted)
    assert not layer._forward_hooks, "a hook outlived its pass"


def test_a_hook_does_not_outlive_a_pass_that_failed(make_network, make_batch):
    network = make_network()
    broken = network.view({"flights": type(make_batch())({"numbers": torch.zeros(2, 1)})}, aliased=True)
    with pytest.raises(KeyError):
        broken.cut()
    assert not network.last_layer()._forward_hooks


def test_a_view_without_gradient_has_a_cut_too(make_network, make_batch):
    with torch.no_grad():
        view = make_network().view({"flights": make_batch()}, aliased=True)
        assert view.cut().aliases.keys() == {"late", "delay", "kind"}


def test_there_is_no_cut_where_it_was_not_asked_for_or_tables_are_several(make_network, make_batch):
    one, two = make_network(), make_network({"flights": ("late",), "weather": ("kind",)})
    assert one.view({"flights": make_batch()}).cut() is None
    assert two.view({"flights": make_batch(), "weather": make_batch()}, aliased=True).cut() is None
    assert one.modes == ("last_layer", "features", "parameters")
    assert two.modes == ("parameters",)


@pytest.mark.parametrize("stem", [{}, {"numbers": "periodic"}, {"embedding": 4, "width": 7}])
def test_every_trainable_parameter_is_shared_or_one_tasks_own(make_network, stem):
    network = make_network({"flights": ("late", "delay"), "weather": ("kind",)}, stem=stem, head={"hidden": [6]})
    network.sharing.trunk.stages[0].requires_grad_(False)
    parts = [network.shared_parameters(), *(network.own_parameters(task) for task in network.tables)]
    together = [parameter for part in parts for parameter in part]
    assert len(together) == len(set(together))
    assert set(together) == {parameter for parameter in network.parameters() if parameter.requires_grad}


@pytest.mark.parametrize("stem", [{}, {"numbers": "periodic"}, {"width": 7}])
@pytest.mark.parametrize("trunk", [{}, {"norm": "layer", "activation": "gelu", "dropout": 0.1}])
def test_gradient_reaches_every_trainable_weight_and_no_frozen_one(make_network, make_batch, stem, trunk):
    network = make_network(stem=stem, trunk={"widths": [32, 16], **trunk}, head={"hidden": [16]})
    network.sharing.trunk.stages[0].requires_grad_(False)
    sum(losses(network.view({"flights": make_batch(200)})).values()).backward()
    for name, parameter in network.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.any())
        assert reached == parameter.requires_grad, name


def test_weights_load_strictly_into_a_fresh_network(make_network, make_batch):
    network, other = make_network(), make_network()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.5)
    other.load_state_dict(network.state_dict())
    batch = {"flights": make_batch()}
    assert torch.equal(network.view(batch).outputs["kind"], other.view(batch).outputs["kind"])
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict({})


def test_bfloat16_autocast_works_aliased(make_network, make_batch):
    network = make_network(trunk={"norm": "layer"})
    with torch.autocast("cpu", torch.bfloat16):
        view = network.view({"flights": make_batch()}, aliased=True)
        found = sum(losses(view).values())
    found.backward()
    assert all(alias.grad is not None for aliases in view.cut().aliases.values() for alias in aliases)
