"""Environments: what chance they are begun by, how an episode is taken up again, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polygraft.core.errors import RunFailed, UserError
from polygraft.core.seeding import counter
from polygraft.data.environment_tables import prepare_environment
from polygraft.data.environments import EnvironmentSpec, Instance, Instances, returns_of

TESTS = Path(__file__).parents[2]
PLACE = "suite.yaml:3"


def spec(source: str = "toy_environments.py:walk", **arguments: Any) -> EnvironmentSpec:
    return EnvironmentSpec("walk", source, arguments, instances=2, seed=5, folder=TESTS, place=PLACE)


def test_an_episode_is_begun_by_seed_table_part_instance_and_number():
    first = Instance(spec(), 1).begin(4)
    same = Instance(spec(), 1).env.reset(seed=counter(5, "episode", "walk", "train", 1, 4) % 2**31)[0]
    others = [
        Instance(spec(), 2).begin(4),
        Instance(spec(), 1).begin(3),
        Instance(spec(), 1, "test").begin(4),
        Instance(replace(spec(), seed=6), 1).begin(4),
        Instance(replace(spec(), table="other"), 1).begin(4),
    ]
    assert np.array_equal(first, same)
    assert len({tuple(each) for each in (first, *others)}) == 6


def test_an_episode_that_was_cut_off_is_played_again_to_where_it_was():
    chance = np.random.default_rng(0)
    whole, again = Instances(spec(limit=7), range(3)), Instances(spec(limit=7), range(3))
    for _ in range(25):
        whole.step(chance.integers(2, size=3))
    again.resume([each.episode for each in whole.each], [each.actions for each in whole.each])
    for _ in range(25):
        actions = chance.integers(2, size=3)
        mine, yours = whole.step(actions), again.step(actions)
        assert all(np.array_equal(each, vars(yours)[name]) for name, each in vars(mine).items())


def test_the_state_after_the_last_step_is_kept_beside_the_one_that_the_next_episode_begins_with():
    played = Instances(spec(limit=2, end=99.0), range(1))
    played.step(np.array([1]))
    moves = played.step(np.array([1]))
    assert moves.ended[0]
    assert not moves.terminated[0]
    assert moves.following[0, 1] == 1.0, "two of two steps"
    assert played.now[0, 1] == 0.0
    assert played.each[0].episode == 1


def test_returns_are_the_sums_of_rewards_whichever_episodes_are_played_beside():
    def act(observations: np.ndarray) -> np.ndarray:
        return (observations[:, 0] < 0).astype(int)

    alone = [returns_of(spec(limit=9), "test", range(each, each + 1), act)[0] for each in range(4)]
    assert returns_of(spec(limit=9), "test", range(4), act).tolist() == alone


@pytest.mark.parametrize(
    ("source", "arguments", "what"),
    [
        ("toy_environments.py:pictures", {}, "what is played here shows a Box of one axis, a row of numbers."),
        ("toy_environments.py:wheel", {}, "what is played here takes Discrete actions."),
        ("toy_environments.py:number", {}, "'toy_environments.py:number' gave a int; a gymnasium.Env is wanted."),
        (
            "CartPole-v77",
            {},
            "'CartPole-v77' cannot be made: Environment version `v77` for environment `CartPole` doesn't exist.",
        ),
        ("CartPole-v1", {"wheels": 4}, "'CartPole-v1' cannot be made: "),
        ("FrozenLake-v1", {}, "'FrozenLake-v1' shows Discrete(16); what is played here shows a Box of one axis"),
    ],
)
def test_what_cannot_be_played_is_refused_in_words(source, arguments, what):
    with pytest.raises(UserError) as refused:
        spec(source, **arguments).make()
    assert str(refused.value).startswith(f"{PLACE}: data.walk.source: '{source}'")
    assert what in str(refused.value)


def test_an_environment_that_raises_or_gives_no_number_ends_the_run_with_its_place():
    raises, nan = Instances(spec(raises_at=3), range(4, 6)), Instances(spec(nan_at=2), range(4, 6))
    steps = np.array([1, 0])
    raises.step(steps), raises.step(steps), nan.step(steps)
    name = "the environment 'toy_environments.py:walk' of 'walk' (train), instance 4, episode 0"
    with pytest.raises(RunFailed) as failed:
        raises.step(steps)
    assert str(failed.value) == f"{name}, step 3: raised RuntimeError: the floor is gone."
    with pytest.raises(RunFailed) as failed:
        nan.step(steps)
    assert str(failed.value) == f"{name}, step 2: gave the observation [nan, 0.0] and the reward 1.0."


def test_what_is_known_of_an_environment_is_played_once_and_kept(tmp_path):
    known = prepare_environment(spec("CartPole-v1"), "balance", tmp_path)
    again = prepare_environment(spec("CartPole-v1"), "balance", tmp_path)
    (target,) = known.target_info.values()
    assert again.target_info == known.target_info
    assert target.levels == ("0", "1")
    assert 15 < target.mean < 30, "random actions hold the pole for some 22 steps"
    assert target.mean + target.std == 475, "CartPole-v1 counts as solved there"
    rows = np.array([[0.1, -2.0, 3e5, 0.0]], np.float32)
    import pandas as pd

    frame = pd.DataFrame(rows, columns=[f"observation_{j}" for j in range(4)])
    assert np.array_equal(known.preprocessor.encode(frame)["numbers"], rows)
