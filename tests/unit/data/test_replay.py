"""Replay: what is kept, what a row of several steps is, and how often what surprised is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polygraft.data.environments import Moves
from polygraft.data.replay import Replay, Replayed, SumTree
from polygraft.data.rollouts import rollout


def history(steps: int, instances: int, seed: int = 0) -> list[Moves]:
    """Steps whose every number says where it is from: observation (step, instance), what follows (step + .5, instance)."""
    chance = np.random.default_rng(seed)
    found = []
    for step in range(steps):
        here = np.stack([np.full(instances, step), np.arange(instances)], 1).astype(np.float32)
        terminated = chance.random(instances) < 0.15
        ended = terminated | (chance.random(instances) < 0.15)
        rewards = chance.normal(size=instances).astype(np.float32)
        actions = chance.integers(2, size=instances)
        found.append(Moves(here, actions, rewards, here + np.float32([0.5, 0]), terminated, ended))
    return found


def filled(said: Replayed, length: int, moves: list[Moves]) -> Replay:
    replay = Replay(said, length, len(moves[0].actions), 2)
    for each in moves:
        replay.add(each)
    return replay


def window(moves: list[Moves], step: int, instance: int, n: int) -> tuple[list[float], Moves]:
    """By brute force: the rewards from a step on, and the last step that counts."""
    rewards: list[float] = []
    while True:
        each = moves[step]
        rewards.append(float(each.rewards[instance]))
        if each.ended[instance] or len(rewards) == n or step + 1 == len(moves):
            return rewards, each
        step += 1


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 3), st.integers(1, 5), st.integers(5, 17), st.integers(0, 9))
def test_rows_of_several_steps_are_those_of_brute_force_however_the_ring_has_turned(steps, instances, n, length, seed):
    moves = history(steps, instances, seed)
    replay = filled(Replayed(0, 0, n_step=n), length, moves)
    batch = replay.draw(64, np.random.default_rng(seed), 1.0, "t")
    oldest = max(0, steps - length)
    for at in range(64):
        step, instance = (int(each) for each in batch.inputs["numbers"][at])
        assert oldest <= step < steps, "what was overwritten is gone"
        rewards, last = window(moves, step, instance, n)
        padded = torch.tensor(rewards + [0.0] * (n - len(rewards)))
        assert torch.equal(batch.inputs["played/rewards"][at], padded)
        assert int(batch.inputs["played/lengths"][at]) == len(rewards)
        assert torch.equal(batch.inputs["played/following"][at], torch.from_numpy(last.following[instance]))
        assert bool(batch.inputs["played/terminated"][at]) == bool(last.terminated[instance])
        assert int(batch.inputs["played/actions"][at]) == int(moves[step].actions[instance])
        assert int(batch.rows[at]) == step % length * instances + instance


def test_a_full_ring_draws_each_row_as_often_as_any_other():
    replay = filled(Replayed(0, 0), 5, history(12, 2))
    rows = replay.draw(20_000, np.random.default_rng(1), 1.0, "t").rows.numpy()
    assert np.allclose(np.bincount(rows, minlength=10) / 2_000, 1, atol=0.1)


@pytest.mark.parametrize("priority", [0.6, 1.0])
def test_what_surprised_is_drawn_in_proportion_and_weighs_less_in_proportion(priority):
    """Schaul et al. 2016: P(i) = p_i^alpha / sum, w_i = (N P(i))^-beta / max w."""
    replay = filled(Replayed(0, 0, priority=priority), 8, history(8, 1))
    errors = np.array([0.0, 0.1, 0.5, 1.0, 1.0, 2.0, 4.0, 0.2], np.float32)
    replay.prefer(np.arange(8), -errors)
    raised = (errors.astype(np.float64) + 1e-6) ** priority
    chances = raised / raised.sum()
    batch = replay.draw(40_000, np.random.default_rng(1), 0.4, "t")
    rows = batch.rows.numpy()
    assert np.allclose(np.bincount(rows, minlength=8) / 40_000, chances, atol=0.005)
    weights = (8 * chances[rows]) ** -0.4
    assert np.allclose(batch.weights.numpy(), weights / weights.max(), rtol=1e-5)


def test_a_new_row_is_as_likely_as_the_most_surprising_one():
    moves = history(4, 1)
    replay = filled(Replayed(0, 0, priority=1.0), 8, moves[:3])
    replay.prefer(np.array([0, 1, 2]), np.array([5.0, 1.0, 1.0]))
    replay.add(moves[3])
    rows = replay.draw(12_000, np.random.default_rng(0), 1.0, "t").rows.numpy()
    assert np.allclose(np.bincount(rows) / 1_000, [5, 1, 1, 5], atol=0.2)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 10), min_size=1, max_size=40).filter(any), st.integers(0, 99))
def test_sums_are_of_the_numbers_alone_and_nothing_of_weight_0_is_found(numbers, seed):
    chance = np.random.default_rng(seed)
    tree, again = SumTree(len(numbers)), SumTree(len(numbers))
    for _ in range(3):
        tree.set(chance.integers(len(numbers), size=7), chance.random(7))
    tree.set(np.arange(len(numbers)), np.array(numbers))
    for at in chance.permutation(len(numbers)):
        again.set(np.array([at]), np.array([numbers[at]]))
    assert tree.total == again.total
    found = tree.find(chance.random(50) * tree.total)
    assert (tree.leaves[found] > 0).all()


@pytest.mark.parametrize("priority", [0.0, 0.7])
def test_saved_and_loaded_it_goes_on_as_if_nothing_had_happened(priority):
    said = Replayed(0, 0, n_step=2, priority=priority)
    moves = history(30, 2)
    whole = filled(said, 7, moves[:20])
    whole.prefer(np.array([3, 4]), np.array([2.0, 0.1]))
    again = Replay(said, 7, 2, 2)
    again.load({name: each.clone() for name, each in whole.state().items()})
    for step in range(20, 30):
        both = []
        for replay in (whole, again):
            replay.add(moves[step])
            batch = replay.draw(6, np.random.default_rng(step), 0.5, "t")
            replay.prefer(batch.rows.numpy(), np.linspace(0, 3, 6))
            both.append(batch)
        assert torch.equal(both[0].rows, both[1].rows)
        assert torch.equal(both[0].weights, both[1].weights)
        assert all(torch.equal(each, both[1].inputs[name]) for name, each in both[0].inputs.items())


def test_a_rollout_is_instance_after_instance_and_cut_where_nothing_follows():
    moves = history(5, 3, seed=4)
    batch = rollout(moves, "t")
    assert batch.inputs["numbers"].tolist() == [[step, instance] for instance in range(3) for step in range(5)]
    wanted = [bool(moves[step].ended[instance]) or step == 4 for instance in range(3) for step in range(5)]
    assert batch.inputs["played/cut"].tolist() == wanted
