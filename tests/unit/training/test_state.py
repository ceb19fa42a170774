"""State: which evaluation selects weights, and what may not change under a checkpoint."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from polygraft.core.errors import UserError
from polygraft.storage.base import Snapshot
from polygraft.training.state import Goal, State


def state(**facts) -> State:
    nothing = SimpleNamespace(state_dict=dict, load_state_dict=lambda given: None)
    stream = SimpleNamespace(state=dict, load=lambda given: None)
    learner = nn.Linear(2, 1)
    return State(learner, torch.optim.SGD(learner.parameters(), lr=0.1), nothing, stream, nothing, facts=facts)


@pytest.mark.parametrize(("sign", "values", "best"), [(1, [0.5, 0.7, 0.6], 0.7), (-1, [0.5, 0.7, 0.6], 0.5)])
def test_the_best_is_the_largest_or_the_smallest_as_the_goal_says(sign, values, best):
    mine = state()
    for step, value in enumerate(values, 1):
        mine.step = step
        mine.record({"validation/late/auc": value}, Goal("late/auc", sign))
    assert (mine.best, mine.best_step) == (best, values.index(best) + 1)
    assert mine.waited == len(values) - 1 - values.index(best)


def test_an_equal_value_is_no_improvement():
    mine = state()
    for step in (1, 2):
        mine.step = step
        mine.record({"validation/late/auc": 0.5}, Goal("late/auc", 1))
    assert mine.best_step == 1
    assert not mine.improved


def test_a_snapshot_brings_back_where_the_run_stood():
    mine = state(threads=1)
    mine.step = 7
    mine.record({"validation/improvement": 0.3}, Goal("improvement", 1))
    snapshot = mine.snapshot()
    assert snapshot.best
    other = state(threads=1)
    other.load(snapshot)
    assert (other.step, other.best, other.best_step, other.waited) == (7, 0.3, 7, 0)
    assert torch.equal(other.learner.weight, mine.learner.weight)


def test_other_threads_or_shards_are_refused_since_the_bits_would_differ():
    snapshot = state(threads=1, shards=2).snapshot()
    with pytest.raises(UserError) as caught:
        state(threads=2, shards=4).load(snapshot)
    assert str(caught.value) == (
        "the checkpoint of step 0 cannot go on exactly: threads was 1, is 2, shards was 2, is 4. "
        "Start another run, or set it back."
    )


def test_a_snapshot_of_another_network_is_refused():
    snapshot = state().snapshot()
    wrong = Snapshot(0, {**snapshot.tensors, "weights": {"weight": torch.zeros(1, 2)}}, snapshot.facts)
    with pytest.raises(RuntimeError, match="bias"):
        state().load(wrong)
