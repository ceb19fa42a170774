"""Environments: gymnasium's (https://gymnasium.farama.org), or a function's beside the suite, played by counted chance.

What an episode shows is a function of its seed and of the actions taken, and its seed one of (seed, table, part, instance,
episode). So an episode that was cut off is played again to where it was: no environment is asked to save itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from polygraft.core.errors import RunFailed, UserError, fault
from polygraft.core.extras import absent, install_command
from polygraft.core.seeding import counter, numpy_generator
from polygraft.data.recipes import recipe

EPISODES_AT_ONCE = 20
"""Episodes that are scored side by side. Fixed: a matrix product's bits depend on its shape, so no worker may cut them otherwise."""


@dataclass(frozen=True)
class EnvironmentSpec:
    """One table of a suite that is an environment.

    source: a name that gymnasium knows, or `recipe.py:function`. arguments: of `gymnasium.make`, or of the function.
    instances: copies that are played side by side, over all shards. place: `file:line` of its source.
    """

    table: str
    source: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    instances: int = 1
    seed: int = 0
    folder: Path = field(default_factory=Path)
    place: str = ""

    def fault(self, what: str) -> UserError:
        """A fault at its place."""
        return fault(f"data.{self.table}.source: {what}", self.place)

    def make(self) -> Any:
        """A copy of it, a gymnasium.Env. Raises UserError for what cannot be made, or is of a kind that is not played here."""
        if lacking := absent("rl"):
            raise self.fault(f"needs {', '.join(lacking)}. Install it with: {install_command('rl')}")
        import gymnasium

        made = recipe(self.source, self.folder)
        try:
            env = made.call(**self.arguments) if made else _by_name(self.source, self.arguments)
        except (gymnasium.error.Error, TypeError) as error:
            raise self.fault(f"'{self.source}' cannot be made: {' '.join(str(error).split())}") from error
        if not isinstance(env, gymnasium.Env):
            raise self.fault(f"'{self.source}' gave a {type(env).__name__}; a gymnasium.Env is wanted.")
        self._check(env)
        return env

    def _check(self, env: Any) -> None:
        from gymnasium.spaces import Box, Discrete

        seen, moves = env.observation_space, env.action_space
        if not isinstance(seen, Box) or len(seen.shape) != 1:
            raise self.fault(
                f"'{self.source}' shows {seen}; what is played here shows a Box of one axis, a row of numbers."
            )
        if not isinstance(moves, Discrete):
            raise self.fault(f"'{self.source}' takes {moves}; what is played here takes Discrete actions.")


def _by_name(name: str, arguments: Mapping[str, Any]) -> Any:
    import gymnasium

    return gymnasium.make(name, disable_env_checker=True, **arguments)  # its checks are a fifth of a step; ours see NaN


@dataclass(frozen=True)
class Moves:
    """One step of each of some instances, a row each.

    observations, following: float32 [rows, numbers], before and after; actions: int64; rewards: float32;
    terminated: whether the task itself ended there; ended: whether the episode did, be it by a limit of time.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    following: np.ndarray
    terminated: np.ndarray
    ended: np.ndarray


class Instance:
    """One copy of an environment, and how far its episode is.

    part: what it is played for, `train`, `validation`, `test` or `random`: none sees another's episodes.
    """

    def __init__(self, spec: EnvironmentSpec, number: int, part: str = "train") -> None:
        self.spec, self.number, self.part = spec, number, part
        self.env = spec.make()
        self._first = int(self.env.action_space.start)
        self.episode = -1
        self.actions: list[int] = []

    def begin(self, episode: int) -> np.ndarray:
        """The first observation of an episode, as the environment gives it."""
        self.episode, self.actions = episode, []
        seed = counter(self.spec.seed, "episode", self.spec.table, self.part, self.number, episode) % 2**31
        try:
            observation, _ = self.env.reset(seed=seed)
        except Exception as error:  # whatever an environment may raise
            raise self._failed(f"reset raised {type(error).__name__}: {error}") from error
        return observation  # type: ignore[no-any-return]

    def step(self, action: int) -> tuple[Any, float, bool, bool]:
        """(observation, reward, terminated, ended) of an action, counted from 0."""
        self.actions.append(action)
        try:
            observation, reward, terminated, truncated, _ = self.env.step(action + self._first)
        except Exception as error:  # whatever an environment may raise
            raise self._failed(f"raised {type(error).__name__}: {error}") from error
        return observation, float(reward), bool(terminated), bool(terminated or truncated)

    def resume(self, episode: int, actions: Sequence[int]) -> np.ndarray:
        """The observation after these actions of an episode, each taken again."""
        observation = self.begin(episode)
        for action in actions:
            observation = self.step(action)[0]
        return observation

    def check(self, observation: np.ndarray, reward: float = 0.0) -> None:
        """Raises RunFailed for what is no finite number."""
        if not (np.isfinite(observation).all() and np.isfinite(reward)):
            raise self._failed(f"gave the observation {observation.tolist()} and the reward {reward}")

    def _failed(self, what: str) -> RunFailed:
        where = f"instance {self.number}, episode {self.episode}, step {len(self.actions)}"
        return RunFailed(f"the environment '{self.spec.source}' of '{self.spec.table}' ({self.part}), {where}: {what}.")


class Instances:
    """Some instances that step together; an episode that ends is followed at once by the next one.

    now: float32 [instances, numbers], what each of them shows.
    """

    def __init__(self, spec: EnvironmentSpec, numbers: range) -> None:
        self.spec = spec
        self.each = [Instance(spec, number) for number in numbers]
        self.width = int(self.each[0].env.observation_space.shape[0])
        self.now = np.empty((len(self.each), self.width), np.float32)
        for at in range(len(self.each)):
            self._begin(at, 0)

    def step(self, actions: np.ndarray) -> Moves:
        """Take an action each. Raises RunFailed when an environment does, or gives what is no number."""
        rows = len(self.each)
        before, following = self.now.copy(), np.empty_like(self.now)
        rewards = np.empty(rows, np.float32)
        terminated, ended = np.empty(rows, bool), np.empty(rows, bool)
        for at, action in enumerate(actions.tolist()):
            following[at], rewards[at], terminated[at], ended[at] = self.each[at].step(action)
        if not (np.isfinite(following).all() and np.isfinite(rewards).all()):
            for at, instance in enumerate(self.each):
                instance.check(following[at], float(rewards[at]))
        self.now[:] = following
        for at in np.flatnonzero(ended).tolist():
            self._begin(at, self.each[at].episode + 1)
        return Moves(before, actions, rewards, following, terminated, ended)

    def resume(self, episodes: Sequence[int], actions: Sequence[Sequence[int]]) -> None:
        """Bring each instance to where it was, by the actions of its episode so far."""
        for at, (episode, taken) in enumerate(zip(episodes, actions, strict=True)):
            self.now[at] = self.each[at].resume(episode, taken)

    def _begin(self, at: int, episode: int) -> None:
        self.now[at] = self.each[at].begin(episode)
        self.each[at].check(self.now[at])


def returns_of(
    spec: EnvironmentSpec, part: str, episodes: range, act: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Float64 [episodes]: the sum of each episode's rewards, played side by side.

    act: from observations float32 [episodes, numbers] to an action each; those whose episode is over are still shown.
    """
    played = [Instance(spec, number, part) for number in episodes]
    shown = np.stack([np.asarray(each.begin(0), np.float32) for each in played])
    returns, alive = np.zeros(len(played)), list(range(len(played)))
    while alive:
        actions = act(shown).tolist()
        for at in list(alive):
            observation, reward, _, ended = played[at].step(actions[at])
            shown[at] = observation
            played[at].check(shown[at], reward)
            returns[at] += reward
            if ended:
                alive.remove(at)
    for each in played:
        each.env.close()
    return returns


def first_observations(spec: EnvironmentSpec, episodes: int) -> np.ndarray:
    """float32 [episodes, numbers]: what training's first episodes begin with."""
    return Instances(spec, range(episodes)).now


def random_return(spec: EnvironmentSpec, episodes: int) -> float:
    """The mean return of actions that are all as likely."""
    actions = int(spec.make().action_space.n)
    chance = numpy_generator(spec.seed, "random", spec.table)

    def act(observations: np.ndarray) -> np.ndarray:
        return chance.integers(actions, size=len(observations))

    blocks = [range(first, min(first + EPISODES_AT_ONCE, episodes)) for first in range(0, episodes, EPISODES_AT_ONCE)]
    return float(np.concatenate([returns_of(spec, "random", block, act) for block in blocks]).mean())
