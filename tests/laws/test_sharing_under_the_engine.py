"""Every way of sharing under the balancing engine: it learns, its cut's gradient is the whole, and workers change no bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from polygraft.balancing.gradients import Shards
from sharing_toy import EXCEPTIONS, VARIANTS, network
from sharing_workers import CASES, SHARDS, engine, one_thread, outcomes, run_all, tapes

Settings = Mapping[str, Any]


def left(name: str, settings: Settings, balancer: str, shards: int = SHARDS, mode: str = "auto") -> dict[str, Any]:
    """Every parameter's gradient after one step."""
    net, held = network(name, settings), Shards(shards)
    gradients = engine(net, balancer, held, mode)
    gradients.backward(tapes(net, gradients, held, 1), 1)
    return {key: each.grad for key, each in net.named_parameters()}


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_equal_weights_follow_the_plain_gradient_of_the_summed_means(name: str, settings: Settings) -> None:
    plain = left(name, settings, "equal")
    assert all(each is not None for each in plain.values())
    net, held = network(name, settings), Shards(SHARDS)
    gradients = engine(net, "equal", held)
    every = tapes(net, gradients, held, 1)
    weights = {task: sum(float(tape.weights[task]) for tape in every) for task in every[0].losses}
    sum(tape.losses[task] / weights[task] for tape in every for task in weights).backward()  # type: ignore[union-attr]
    assert_close(plain, {key: each.grad for key, each in net.named_parameters()}, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_at_the_cut_and_by_parameters_one_gradient_is_followed(name: str, settings: Settings) -> None:
    """Whatever the weights: one backward of the summed gradients at the cut equals the weighted rows of all shared parameters."""
    found = []
    for mode in ("features", "parameters"):
        net, held = network(name, settings), Shards(SHARDS)
        gradients = engine(net, "mgda", held, mode)
        gradients.way.setup.balancer.weigh = lambda tasks: torch.tensor([1.0, 0.5, 2.0])  # type: ignore[method-assign,assignment,union-attr]
        gradients.backward(tapes(net, gradients, held, 1), 1)
        found.append({key: each.grad for key, each in net.named_parameters()})
    assert_close(found[0], found[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "settings"),
    [each for each in VARIANTS if each[0] not in EXCEPTIONS["the number of shards changes roundings alone"]],
)
def test_the_number_of_shards_changes_roundings_alone(name: str, settings: Settings) -> None:
    assert_close(left(name, settings, "pcgrad", 1), left(name, settings, "pcgrad", 4), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_two_workers_end_with_the_bits_of_one_and_all_have_learned() -> None:
    alone = one_thread(run_all, Shards(SHARDS))
    both = outcomes(2)
    different = [
        f"{key}, rank {rank}"
        for rank, ended in enumerate(both)
        for key in alone
        if not torch.equal(alone[key], ended[key])
    ]
    assert all(alone.keys() == ended.keys() for ended in both)
    assert not different
    for case in CASES:
        told = alone["|".join([*map(str, case), "losses"])]
        assert bool(told.isfinite().all())
        assert float(told[-1].sum()) < float(told[0].sum()), case
