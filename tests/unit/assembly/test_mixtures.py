"""A step that takes some of the tables: each is encoded once, what it leaves out stays as it is, and epochs are counted."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from polygraft.core.catalogue import catalogue
from required_settings import REQUIRED

OF = {"left": ("late", "delay"), "right": ("kind", "size")}


def weights(module: nn.Module) -> list[torch.Tensor]:
    return [each.detach().clone() for each in module.parameters()]


def equal(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(map(torch.equal, one, other))


ADAMW = "{name: adamw, lr: 1e-2, weight_decay: 0.1}"
SGD = "{name: sgd, lr: 1e-2, momentum: 0.9, weight_decay: 0.1}"


TAKERS = catalogue("balancing").names(batches=1)
"""Methods that take one batch a step: the batches that the others compare must be of the same tables."""


@pytest.mark.parametrize(("balancer", "optimizer"), [("equal", SGD), *((name, ADAMW) for name in TAKERS)])
def test_what_belongs_to_a_table_that_is_not_taken_does_not_move(begun, balancer, optimizer):
    """Neither its stem nor its heads: no momentum, no decay; and the balancer hears of the present tasks alone."""
    said = json.dumps({"name": balancer, **REQUIRED.get(balancer, {})})
    made, state = begun(f"balancer={said}", f"train.optimizer={optimizer}")
    network, seen = made.learner.network, set()
    for _ in range(10):
        before = {
            table: [weights(network.stems[table]), *(weights(network.heads[task]) for task in OF[table])]
            for table in OF
        }
        trunk = weights(network.sharing)
        measured = made.step.update(state, made.stream)
        (taken,) = [table for table in OF if set(OF[table]) & set(measured.tasks)]
        seen.add(taken)
        assert measured.tasks == OF[taken]
        for table in OF:
            after = [weights(network.stems[table]), *(weights(network.heads[task]) for task in OF[table])]
            for old, new in zip(before[table], after, strict=True):
                assert equal(old, new) == (table != taken)
        assert not equal(trunk, weights(network.sharing))
    assert seen == set(OF)


@pytest.mark.parametrize("balancer", ["equal", "pcgrad"])
@pytest.mark.parametrize("mixture", catalogue("data/mixing").names())
def test_tasks_that_share_a_table_have_it_encoded_once(begun, balancer, mixture):
    shares = {"fixed": "{name: fixed, shares: {left: 1, right: 2}}"}
    made, state = begun(f"balancer={balancer}", f"train.mixture={shares.get(mixture, mixture)}")
    network, passes = made.learner.network, []
    network.sharing.trunk.register_forward_hook(lambda *_: passes.append("trunk"))
    for table, stem in network.stems.items():
        stem.register_forward_hook(lambda *_, table=table: passes.append(table))
    for _ in range(6):
        passes.clear()
        measured = made.step.update(state, made.stream)
        tables = [table for table in OF if set(OF[table]) <= set(measured.tasks)]
        assert len(tables) == (2 if mixture == "all" else 1)
        assert sorted(passes) == sorted([*tables, *["trunk"] * len(tables)] * 2), "one pass a table and shard"


@pytest.mark.parametrize("mixture", [name for name in catalogue("data/mixing").names() if name != "fixed"])
def test_every_mixture_teaches_the_tasks_of_all_tables(begun, mixture):
    made, state = begun(f"train.mixture={mixture}")
    told: dict[str, list[float]] = {task: [] for mine in OF.values() for task in mine}
    for _ in range(60):
        for task, loss in made.step.update(state, made.stream).losses.items():
            told[task].append(loss)
    for task, losses in told.items():
        assert np.mean(losses[-3:]) < np.mean(losses[:3]), task


def test_an_epoch_is_one_of_the_longest_table_or_of_all_tables_together(begun):
    over = ("train.steps=null", "train.epochs=2")
    rows = [280, 560]  # about, of 400 and 800
    together, apart = (begun(*over, f"train.mixture={name}")[0].cadence.steps for name in ("all", "uniform"))
    assert together == pytest.approx(2 * rows[1] / 64, abs=4)
    assert apart == pytest.approx(2 * sum(rows) / 64, abs=6)


def test_the_shares_are_logged_where_there_is_a_choice(begun):
    made, state = begun()
    for _ in range(10):
        measured = made.step.update(state, made.stream)
    told = {key: value for key, value in made.measurements(measured, 10).items() if key.startswith("mixture/")}
    assert set(told) == {f"mixture/{table}/{what}" for table in OF for what in ("drawn", "share", "chance")}
    assert told["mixture/left/drawn"] + told["mixture/right/drawn"] == 10
    made, state = begun("train.mixture=all")
    measured = made.step.update(state, made.stream)
    assert not [key for key in made.measurements(measured, 1) if key.startswith("mixture/")]
