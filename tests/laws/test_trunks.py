"""Laws of every trunk: what a head does not read changes no gradient, padding is nothing, and an address is nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from polygraft.balancing.gradients import Shards
from polygraft.core.features import Features, Offer
from polygraft.models import heads, trunks
from polygraft.models.base import Trunk
from polygraft.models.network import Network
from sharing_toy import TASKS, TRUNKS, make_trunk, network
from sharing_workers import engine, tapes

SEQUENCES = {
    "lstm": {},
    "lstm both": {"widths": [6, 4], "bidirectional": True},
    "lstm written": {"cell": "written", "bidirectional": True, "widths": [6], "project": 3},
    "lstm plain": {"cell": "plain"},
    **{f"transformer {each}": {"width": 8, "positions": each} for each in ("learned", "rotary", "sinusoidal")},
    "transformer causal": {"width": 8, "causal": True, "pool": "first"},
}
SAME_BITS = ("lstm", "lstm both", "lstm written", "lstm plain")
"""Trunks of sequences for which padding changes no bit. A transformer's sums over keys and steps round by how many there are: 1e-6."""


def made(title: str) -> Trunk:
    torch.manual_seed(0)
    found = trunks.registry.make(title.split()[0], SEQUENCES[title], offer=Offer("sequence", 5))
    assert isinstance(found, Trunk)
    with torch.no_grad():  # away from the zeros that biases begin with
        for parameter in found.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return found


def rows(length: int = 8, padding: float = 0.0) -> Features:
    """Four rows: eight steps, five, one and none; what stands for padding."""
    torch.manual_seed(1)
    mask = torch.arange(length) < torch.tensor([[8], [5], [1], [0]])
    steps = nn.functional.pad(torch.randn(4, 8, 5), (0, 0, 0, length - 8))
    return Features(sequence=steps.masked_fill(~mask[..., None], padding), mask=mask)


def parts(features: Features) -> list[Tensor]:
    """The vector, and the sequence's first eight steps."""
    assert features.vector is not None
    assert features.sequence is not None
    return [features.vector, features.sequence[:, :8]]


@pytest.mark.parametrize("title", SEQUENCES)
def test_padding_changes_nothing_and_is_zero(title: str) -> None:
    trunk = made(title)
    short, long, wild = trunk(rows()), trunk(rows(24)), trunk(rows(24, padding=7.0))
    precise = {"rtol": 0, "atol": 0} if title in SAME_BITS else {"rtol": 1e-6, "atol": 1e-6}
    assert_close(parts(long), parts(short), **precise)
    assert_close(parts(wild), parts(short), **precise)
    features = rows(24)
    for stage in trunk.stages:
        features = stage(features)
        assert not features.sequence[~features.mask].any()
    assert not long.vector[3].any(), "a row without a step is zeros"


@pytest.mark.parametrize("title", SEQUENCES)
def test_gradients_know_nothing_of_padding(title: str) -> None:
    trunk, found = made(title).double(), []
    for features in (rows(), rows(24, padding=7.0)):
        steps = features.sequence.double().requires_grad_()  # type: ignore[union-attr]
        told = trunk(replace(features, sequence=steps))
        loss = told.vector.square().sum() + told.sequence.square().sum()
        found.append(torch.autograd.grad(loss, [steps, *trunk.parameters()], allow_unused=True, materialize_grads=True))
    assert all(bool(each.isfinite().all()) for each in found[1])
    assert not found[1][0][~rows(24).mask].any()
    assert_close(found[1][0][:, :8], found[0][0], rtol=1e-9, atol=1e-12)
    assert_close(found[1][1:], found[0][1:], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("title", SEQUENCES)
def test_a_sequence_without_a_mask_is_all_real(title: str) -> None:
    trunk, steps = made(title), torch.randn(3, 8, 5)
    bare, masked = (trunk(Features(sequence=steps, mask=mask)) for mask in (None, torch.ones(3, 8, dtype=torch.bool)))
    assert_close(parts(bare), parts(masked), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", TRUNKS)
def test_a_trunk_gives_what_it_offers_stage_by_stage(kind: str) -> None:
    torch.manual_seed(0)
    trunk = make_trunk(kind)
    features = rows() if TRUNKS[kind][0] == "sequence" else Features(maps=(torch.randn(4, 5, 9, 9),))
    assert trunk.wants == TRUNKS[kind][0]
    assert len(trunk.offers) == len(trunk.stages)
    inside = [parameter for stage in trunk.stages for parameter in stage.parameters()]
    assert {*map(id, inside)} == {*map(id, trunk.parameters())}
    for stage, offer in enumerate(trunk.offers):
        features = trunk(features, stage, stage + 1)
        given = {"vector": features.vector, "sequence": features.sequence, "maps": features.maps or None}
        assert {each for each, part in given.items() if part is not None} == set(offer.kinds)
        for each in offer.kinds:
            read = offer.of(each)
            part = features.maps[-1] if each == "maps" else given[each]
            assert isinstance(part, Tensor)
            assert read is not None
            assert part.shape[1 if each == "maps" else -1] == read.width
    assert trunk.offer.kinds == (TRUNKS[kind][0], "vector")


def reading(kind: str, part: str) -> Network:
    """A network whose heads read one part alone of what the trunk gives."""

    class Only(nn.Module):
        def __init__(self, head: nn.Module) -> None:
            super().__init__()
            self.head, self.size = head, 2

        def forward(self, features: Features, given: Tensor | None = None) -> Tensor:
            if part == "vector":
                return self.head(features)  # type: ignore[no-any-return]
            read = features.sequence.sum(1) if features.sequence is not None else features.maps[-1].sum((2, 3))
            return self.head(replace(features, vector=read))  # type: ignore[no-any-return]

    net = network("hard", {}, kind)
    read = net.sharing.offer.of("vector")  # type: ignore[operator,union-attr]
    ends = {task: heads.registry.make("dense", {}, offer=read, size=2) for task in TASKS}
    found = Network(dict(net.stems), net.sharing, {task: Only(end) for task, end in ends.items()}, net.tables)  # type: ignore[arg-type,misc]
    return found.double()


def followed(net: Network, mode: str, weights: tuple[float, ...]) -> dict[str, Tensor]:
    shards = Shards(4)
    gradients = engine(
        net,
        "equal" if mode == "losses" else "mgda" if mode == "features" else "pcgrad",
        shards,
        "auto" if mode == "losses" else mode,
    )
    if mode != "losses":
        gradients.way.setup.balancer.weigh = lambda tasks: torch.tensor(weights)  # type: ignore[method-assign,assignment,union-attr]
    gradients.backward(tapes(net, gradients, shards, 1), 1)
    return {key: each.grad.clone() for key, each in net.named_parameters() if each.grad is not None}


@pytest.mark.parametrize("part", ["vector", "the other"])
@pytest.mark.parametrize("kind", TRUNKS)
def test_a_head_that_reads_one_part_of_several_changes_no_gradient(kind: str, part: str) -> None:
    """Its aliases of the other parts have no gradient: every mode follows what one backward of the losses would."""
    net = reading(kind, part)
    plain = followed(net, "losses", ())
    assert plain.keys() == {key for key, _ in net.named_parameters()}
    for mode in net.modes:
        assert_close(followed(net, mode, (1.0, 1.0, 1.0)), plain, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("part", ["vector", "the other"])
@pytest.mark.parametrize("kind", [kind for kind in TRUNKS if kind != "feature_pyramid"])
def test_the_last_layer_s_gramian_is_that_of_its_gradients(kind: str, part: str) -> None:
    """Of its weights and its bias, at full rank; a convolution's where its kernel is one pixel, for its centre is what is looked at."""
    net = reading(kind, part)
    if kind == "cnn":
        net.sharing.trunk = make_trunk(kind, kernel=1, block="plain", strides=[1, 1]).double()  # type: ignore[operator]
    shards, layer = Shards(4), net.last_layer()
    assert layer is not None
    gradients = engine(net, "pcgrad", shards, "last_layer", rank="full")
    every = tapes(net, gradients, shards, 1)
    measured = gradients.backward(every, 1)
    assert measured.gramian is not None
    plain = engine(net, "pcgrad", shards, "parameters")
    rows_of = tapes(net, plain, shards, 1)
    lines = []
    for task in TASKS:
        total = sum(each.losses[task] for each in rows_of) / sum(float(each.weights[task]) for each in rows_of)
        pulled = torch.autograd.grad(total, [*layer.parameters()], retain_graph=True)  # type: ignore[arg-type]
        lines.append(torch.cat([each.flatten() for each in pulled]))
    stacked = torch.stack(lines)
    assert_close(measured.gramian, stacked @ stacked.T, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("units", [8, 16])
def test_gradients_vanish_over_time_in_a_plain_network_and_far_less_in_an_lstm_that_remembers(units: int) -> None:
    """|d h_T / d x_1|, T from 5 to 45: each ten steps divide it by so much more in the plain network."""

    def norms(settings: Mapping[str, Any]) -> list[float]:
        torch.manual_seed(units)
        trunk = trunks.registry.make("lstm", {"widths": [units], **settings}, offer=Offer("sequence", 3)).double()
        found = []
        for length in (5, 15, 25, 35, 45):
            steps = torch.randn(1, length, 3, dtype=torch.float64)
            slope = torch.autograd.functional.jacobian(lambda x: trunk(Features(sequence=x)).vector, steps)
            found.append(float(slope[..., 0, :].norm()))
        return found

    plain, lstm = norms({"cell": "plain"}), norms({"cell": "written", "forget": 1.0})
    assert all(later < earlier / 50 for earlier, later in pairwise(plain))
    assert (lstm[-1] / lstm[0]) > 1e4 * (plain[-1] / plain[0])
    careless = norms({"cell": "written", "forget": -2.0})
    assert careless[-1] / careless[0] < 1e-4 * lstm[-1] / lstm[0]
