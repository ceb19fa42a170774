"""The nouns hold for more than hard sharing: gates behind the cut, and a way of sharing that has no cut."""

from __future__ import annotations

import torch
from torch import nn
from torch.testing import assert_close

from polygraft.core.features import Features
from polygraft.models import heads
from polygraft.models.base import Sharing
from polygraft.models.network import Network


class Gated(Sharing):
    """Two trunks whose features each task mixes by a gate of its own on the stem's features, after MMoE."""

    def __init__(self, make_trunk, tasks, width):
        super().__init__()
        self.experts = nn.ModuleList(make_trunk() for _ in range(2))
        self.gates = nn.ModuleDict({task: nn.Linear(width, 2) for task in tasks})
        self.offer = self.experts[0].offer

    def forward(self, features, tasks, alias=None):
        cut = (torch.stack([expert(features).vector for expert in self.experts], 1), features.vector)
        found = {}
        for task in tasks:
            experts, first = cut if alias is None else alias(task, cut)
            found[task] = Features(vector=(self.gates[task](first).softmax(1).unsqueeze(2) * experts).sum(1))
        return found

    def shared_parameters(self):
        return self.experts.parameters()

    def own_parameters(self, task):
        return self.gates[task].parameters()

    def last_layer(self):
        return None


class Apart(Gated):
    """The same without saying where the cut is."""

    cuts = False


def gated(make_network, kind=Gated):
    plain = make_network(stem={"width": 6})
    width = plain.stems["flights"].offer.width
    shared = kind(lambda: make_network(stem={"width": 6}).sharing.trunk, tuple(plain.tables), width)
    ends = {t: heads.registry.make("dense", {}, offer=shared.offer, size=size) for t, size in plain.sizes.items()}
    return Network({"flights": plain.stems["flights"]}, shared, ends, plain.tables)


def test_gates_are_own_and_experts_shared(make_network):
    network = gated(make_network)
    own = {task: set(network.own_parameters(task)) for task in network.tables}
    assert set(network.sharing.gates["late"].parameters()) < own["late"]
    together = [*network.shared_parameters(), *(each for part in own.values() for each in part)]
    assert len(together) == len(set(together)) == len(list(network.parameters()))
    assert network.modes == ("features", "parameters")


def test_the_cut_of_several_tensors_gives_the_plain_gradient(make_network, make_batch):
    network, batch = gated(make_network), {"flights": make_batch()}
    shared = network.shared_parameters()
    plain = sum(outputs.square().sum() for outputs in network.view(batch).outputs.values())
    wanted = torch.autograd.grad(plain, shared)
    view = network.view(batch, aliased=True)
    found = {task: outputs.square().sum() for task, outputs in view.outputs.items()}
    cut = view.cut()
    assert [each.shape for each in cut.features] == [(12, 2, 8), (12, 6)]
    pulls = [torch.autograd.grad(found[task], cut.aliases[task]) for task in found]
    together = [sum(pieces) for pieces in zip(*pulls, strict=True)]
    assert_close(torch.autograd.grad(cut.features, shared, together), wanted)


def test_without_a_cut_only_the_parameters_mode_is_left(make_network, make_batch):
    network = gated(make_network, Apart)
    assert network.modes == ("parameters",)
    view = network.view({"flights": make_batch()}, aliased=True)
    assert view.cut() is None
    sum(outputs.square().sum() for outputs in view.outputs.values()).backward()
    assert all(weight.grad is not None for weight in network.shared_parameters())
