"""A method's memory of the tasks whose table a step leaves out, task by task and column by column."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from polygraft.core.catalogue import catalogue
from required_settings import REQUIRED

TASKS = ("late", "delay", "kind", "size")
OF = {"left": [0, 1], "right": [2, 3]}
SETTINGS = {"stch": {"warmup": 1, "window": 2}, **REQUIRED}
"""A clock so short that a few steps see what comes after it; not of `dwa`, whose windows end for all tasks at once."""
METHODS = catalogue("balancing").names(batches=1)
REMEMBER = {
    *("db_mtl", "dwa", "excess_mtl", "famo", "go4align", "gradnorm", "gradvac", "imtl", "imtl_l", "moco", "stch"),
    "uncertainty",
}


def by_task(state: Mapping[str, Tensor], tasks: list[int]) -> dict[str, Tensor]:
    """What the state holds of these tasks: lines of [tasks, ...], of [tasks, columns], columns of [windows, tasks]."""
    axes = {name: list(each.shape).index(len(TASKS)) for name, each in state.items() if len(TASKS) in each.shape}
    return {name: state[name].index_select(axis, torch.tensor(tasks)) for name, axis in axes.items()}


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(each, other[name]) for name, each in one.items())


@pytest.mark.parametrize("balancer", METHODS)
def test_a_method_keeps_what_it_knows_of_absent_tasks_and_learns_of_the_others(begun, balancer: str) -> None:
    made, state = begun(f"balancer={json.dumps({'name': balancer, **SETTINGS.get(balancer, {})})}")
    learned = set()
    for _ in range(8):
        before = state.gradients.state_dict()
        measured = made.step.update(state, made.stream)
        after = state.gradients.state_dict()
        (here,) = [table for table in OF if TASKS[OF[table][0]] in measured.tasks]
        (gone,) = set(OF) - {here}
        assert same(by_task(before, OF[gone]), by_task(after, OF[gone]))
        if not same(by_task(before, OF[here]), by_task(after, OF[here])):
            learned.add(here)
    assert learned == (set(OF) if balancer in REMEMBER else set())
    tracked = state.gradients.balancer.tracked
    assert set(tracked) <= by_task(state.gradients.state_dict(), [0]).keys(), "[tasks, columns] is looked at, too"
