"""What each way of sharing computes, held against its oracle; its values at the start; and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, conv2d, layer_norm
from torch.testing import assert_close

from polygraft.core.catalogue import catalogue
from polygraft.core.errors import UserError
from polygraft.core.features import Features, Offer
from polygraft.models import sharing
from polygraft.models.base import Trunk
from polygraft.models.mixing import mixed, pooled
from sharing_oracle import ORACLES
from sharing_toy import TASKS, VARIANTS, Flat, Layer, ToyTrunk, batch, make_trunk, network

Settings = Mapping[str, Any]


def way_of(name: str, settings: Settings, kind: str = "vector", trunk: Any = None, offer: Offer | None = None) -> Any:
    return sharing.registry.make(
        name,
        settings,
        make_trunk=trunk or (lambda: make_trunk(kind)),
        tasks=TASKS,
        offer=offer or Offer(kind.split()[0], 5),
    )


def moved(way: nn.Module) -> nn.Module:
    """Away from values that a start has by design: zeros, equal shares."""
    chance = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in way.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=chance, dtype=parameter.dtype) * 0.3)
    return way


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_a_way_of_sharing_equals_its_oracle(name: str, settings: Settings) -> None:
    way = moved(network(name, settings, activation="relu").sharing).eval()
    x = torch.randn(9, 5, dtype=torch.float64)
    found = way(Features(vector=x), TASKS)
    for task, wanted in ORACLES[name](way, x.numpy()).items():
        np.testing.assert_allclose(found[task].vector.detach().numpy(), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("done", [0.0, 0.5, 0.99])
def test_branches_are_drawn_by_gumbel_softmax_at_the_steps_temperature(done: float) -> None:
    way: Any = moved(network("ltb", {"start": 4.0, "end": 0.25}, activation="relu").sharing)
    way.advance(done)
    assert way.temperature == pytest.approx(4.0 * (0.25 / 4.0) ** done)
    x = torch.randn(9, 5, dtype=torch.float64)
    torch.manual_seed(5)
    found = way(Features(vector=x), TASKS)
    torch.manual_seed(5)
    shapes = [(3, 3), (3, 3), (1, 3), (1, 3), (1, 3)]
    noise = [-torch.empty(shape, dtype=torch.float64).exponential_().log().numpy() for shape in shapes]
    for task, wanted in ORACLES["ltb"](way, x.numpy(), noise).items():
        np.testing.assert_allclose(found[task].vector.detach().numpy(), wanted, rtol=1e-9, atol=1e-12)


def test_evaluation_of_a_tree_runs_the_chosen_copies_alone() -> None:
    way: Any = network("ltb", {}).sharing.eval()
    with torch.no_grad():  # all three tasks stand on copy 2, that on copy 1, that on copy 0
        for task in TASKS:
            way.ends[task].theta[0, 2] = 1.0
        way.parents[1].theta[2, 1] = 1.0
    calls: list[tuple[int, int]] = []
    for number, trunk in enumerate(way.trunks):
        for stage, module in enumerate(trunk.stages):
            module.register_forward_hook(lambda *_, at=(stage, number): calls.append(at))
    way(Features(vector=torch.randn(4, 5, dtype=torch.float64)), TASKS)
    assert calls == [(0, 0), (1, 1), (2, 2)]


def test_every_way_of_sharing_has_an_oracle() -> None:
    assert sorted(ORACLES) == catalogue("models/sharing").names()


def test_attention_on_maps_follows_the_papers_equations() -> None:
    net = network("mtan", {}, "maps")
    way: Any = moved(net.sharing)
    first = net.stems["flights"](batch().inputs)
    found = way(first, TASKS)
    features, kept = first, None
    for stage, attention in zip(way.trunk.stages, way.attention["delay"], strict=True):
        features = stage(features)
        seen = p = features.maps[0].movedim(1, 3)
        if kept is not None:
            carried = conv2d(kept.movedim(3, 1), attention.carry.weight, attention.carry.bias, padding=1)
            carried = adaptive_avg_pool2d(carried, p.shape[1:3]).movedim(1, 3)
            seen = torch.cat([p, norm(attention.carry_norm, carried).relu()], 3)
        g = norm(attention.mask[1], attention.mask[0](seen)).relu()
        kept = torch.sigmoid(norm(attention.mask[4], attention.mask[3](g))) * p
    assert kept is not None
    assert_close(found["delay"].maps[0], kept.movedim(3, 1))


def norm(module: nn.LayerNorm, x: Tensor) -> Tensor:
    return layer_norm(x, x.shape[-1:], module.weight, module.bias)


def test_a_mixture_weighs_each_part_by_row_and_by_channel() -> None:
    several = [
        Features(torch.randn(4, 3), torch.randn(4, 5, 3), None, (torch.randn(4, 3, 2, 2), torch.randn(4, 3, 1, 1)))
        for _ in range(3)
    ]
    for rows, width in [(4, 1), (1, 3), (1, 1), (4, 3)]:
        weights = torch.rand(3, rows, width)
        found = mixed(several, weights)
        for place, letters in enumerate(["rc", "rlc", "rchw", "rchw"]):
            parts, full = torch.stack([each.tensors[place] for each in several]), weights.expand(3, 4, 3)
            assert_close(found.tensors[place], torch.einsum(f"n{letters},nrc->{letters}", parts, full))


def test_gates_read_positions_that_are_there_and_all_pixels() -> None:
    mask = torch.tensor([[True, True, False], [True, False, False], [False, False, False]])
    sequence = torch.randn(3, 3, 2)
    wanted = torch.stack([sequence[0, :2].mean(0), sequence[1, 0], torch.zeros(2)])
    assert_close(pooled(Features(sequence=sequence, mask=mask), Offer("sequence", 2)), wanted)
    assert_close(pooled(Features(sequence=sequence), Offer("sequence", 2)), sequence.mean(1))
    maps = (torch.randn(3, 2, 8, 8), torch.randn(3, 2, 4, 4))
    assert_close(pooled(Features(maps=maps), Offer("maps", 2)), maps[1].flatten(2).mean(2))


def test_cross_stitch_starts_with_the_papers_shares() -> None:
    way = way_of("cross_stitch", {})
    assert_close(way.units[0][:, :, 0], torch.tensor([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]]))
    assert_close(way.last["delay"].alpha[:, 3], torch.tensor([0.05, 0.9, 0.05]))
    assert [tuple(each.shape) for each in way.units] == [(3, 3, 8), (3, 3, 7)]
    alone = sharing.registry.make("cross_stitch", {}, make_trunk=lambda: make_trunk("vector"), tasks=("late",))
    assert alone.last["late"].alpha.unique().tolist() == [1.0]


def test_dselect_k_starts_undecided_and_stays_with_a_choice_once_all_bits_are_out_of_the_slope() -> None:
    way = way_of("dselect_k", {"experts": 4, "selected": 2})
    gate = way.gates["late"]
    x = Features(vector=torch.zeros(1, 5))
    assert_close(gate(x).flatten(), torch.full((4,), 0.25), rtol=0.1, atol=0)
    with torch.no_grad():
        gate.z.weight.copy_(torch.tensor([[1.0], [-1.0], [-0.6], [0.7]]))  # the experts 2 (10) and 1 (01)
    weights = gate(x).flatten()
    assert (weights != 0).tolist() == [False, True, True, False]
    assert_close(weights.sum(), torch.tensor(1.0))
    weights.square().sum().backward()
    assert not gate.z.weight.grad.any()


class Tied(ToyTrunk):
    """A trunk whose stages 1 and 2 are one and the same module."""

    def __init__(self) -> None:
        super().__init__("sequence", 5)
        self.stages[2] = self.stages[1] = Layer("sequence", 8, 8)
        self.offers = (Offer("sequence", 8),) * 3


class Outside(ToyTrunk):
    """A trunk with a parameter outside of its stages, against the contract."""

    def __init__(self) -> None:
        super().__init__("sequence", 5)
        self.scale = nn.Parameter(torch.ones(1))


class Upside(ToyTrunk):
    """A trunk whose second stage makes a sequence of a vector."""

    def __init__(self) -> None:
        super().__init__("maps to vector", 5)
        self.offers = (Offer("maps", 8), Offer("vector", 7), Offer("sequence", 6))


def shallow() -> Trunk:
    return make_trunk("vector", widths=[8])


@pytest.mark.parametrize(
    ("name", "settings", "trunk", "text"),
    [
        ("ple", {"levels": 4}, None, "levels: 4 of at least one stage each, but the trunk has 3 stages. Take levels: 3"),
        ("ple", {}, shallow, "but the trunk has 1 stage. Take sharing: cgc, which has one level"),
        ("ple", {}, Tied, "stages of the trunk Tied share weights, so it cannot be parted. Take sharing: hard or mmoe"),
        ("ple", {}, Outside, "the trunk Outside learns outside of its stages, so it cannot be parted"),
        ("mmoe", {"from_stage": 3}, None, "from_stage: 3 leaves experts no stage; the trunk has 3 stages. Take at most 2"),
        ("cgc", {"from_stage": 1}, shallow, "from_stage: 1 leaves experts no stage; the trunk has 1 stage. Leave from_stage out"),
        ("dselect_k", {"from_stage": 1}, Outside, "the trunk Outside learns outside of its stages"),
        ("dselect_k", {"experts": 6}, None, r"experts: 6 is no power of 2, and m bits choose among 2\^m. Take 4 or 8"),
        ("dselect_k", {"selected": 5}, None, "selected: 5 of 4 experts. Take at most 4"),
        ("mtan", {}, Upside, "but stage 2 goes from vector to sequence. Take sharing: hard or mmoe"),
    ],
)  # fmt: skip
def test_what_a_trunk_does_not_allow_is_refused_with_the_mend(
    name: str, settings: Settings, trunk: Any, text: str
) -> None:
    with pytest.raises(UserError, match=text):
        way_of(name, settings, trunk=trunk)


@pytest.mark.parametrize(("name", "settings"), [("mmoe", {}), ("dselect_k", {"gating": "per_example"})])
def test_features_that_no_gate_can_read_are_refused(name: str, settings: Settings) -> None:
    text = "gates read vector, sequence, maps, and what comes before them is a graph. Take sharing: hard."
    with pytest.raises(UserError, match=text):
        way_of(name, settings, offer=Offer("graph", 5))
    way_of("dselect_k", {"gating": "static"}, offer=Offer("graph", 5))


def test_what_only_rows_can_tell_is_refused_when_they_come() -> None:
    class Levels(nn.Module):
        def forward(self, features: Features) -> Features:
            return Features(maps=(features.maps[0], features.maps[0][:, :2]))

    class Shorter(nn.Module):
        def forward(self, features: Features) -> Features:
            assert features.sequence is not None
            return Features(sequence=features.sequence[:, :2])

    def made(kind: str, stage: nn.Module) -> Trunk:
        trunk = ToyTrunk(kind, 5)
        trunk.stages[2], trunk.offers = stage, (*trunk.offers[:2], Offer(kind, 7))
        return trunk

    maps, sequence = Features(maps=(torch.randn(2, 5, 9, 9),)), batch(2)
    with pytest.raises(UserError, match="mtan attends to maps of one level a stage, not of 2"):
        way_of("mtan", {}, trunk=lambda: made("maps", Levels()))(maps, TASKS)
    text = r"an alpha for each of 7 channels, but stage 2 gives \[2, 7\]. Take unit: stage."
    with pytest.raises(UserError, match=text):
        way_of("cross_stitch", {}, trunk=lambda: made("maps", Levels()))(maps, TASKS)
    way_of("cross_stitch", {"unit": "stage"}, trunk=lambda: made("maps", Levels()))(maps, TASKS)
    rows = Features(sequence=torch.randn(2, 6, 5), mask=sequence.inputs["mask"])
    with pytest.raises(UserError, match="keep a sequence's length, not 6 to 2"):
        way_of("mtan", {}, trunk=lambda: made("sequence", Shorter()))(rows, TASKS)


def test_a_copy_holds_no_stage_that_it_does_not_run() -> None:
    way = way_of("mmoe", {"experts": 2, "from_stage": 2}, "maps to vector")
    held = [[type(stage) for stage in trunk.stages] for trunk in (way.experts.below, *way.experts.shared)]
    assert held == [[Layer, Layer, nn.Identity], *[[nn.Identity, nn.Identity, Flat]] * 2]
