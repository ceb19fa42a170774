"""Small environments, as a suite names them: `toy_environments.py:walk`."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete


class Walk(gymnasium.Env):
    """To the right or to the left, with noise; the task ends at `end`, the time after `limit` steps; a step right is worth 1."""

    def __init__(self, end: float = 3.0, limit: int = 50, raises_at: int = -1, nan_at: int = -1) -> None:
        self.observation_space, self.action_space = Box(-np.inf, np.inf, (2,)), Discrete(2)
        self.end, self.limit, self.raises_at, self.nan_at = end, limit, raises_at, nan_at

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.at, self.steps = float(self.np_random.normal()), 0
        return self._seen(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.steps += 1
        if self.steps == self.raises_at:
            raise RuntimeError("the floor is gone")
        self.at += (2 * action - 1) * 0.5 + 0.1 * float(self.np_random.normal())
        seen = self._seen() if self.steps != self.nan_at else np.array([np.nan, 0.0], np.float32)
        return seen, float(action), abs(self.at) >= self.end, self.steps >= self.limit, {}

    def _seen(self) -> np.ndarray:
        return np.array([self.at, self.steps / self.limit], np.float32)


class Pictures(gymnasium.Env):
    """Shows what is no row of numbers."""

    observation_space, action_space = Box(0, 1, (3, 8, 8)), Discrete(2)


class Wheel(gymnasium.Env):
    """Takes what is no count."""

    observation_space, action_space = Box(0, 1, (3,)), Box(-1, 1, (1,))


def walk(**arguments: Any) -> Walk:
    return Walk(**arguments)


def pictures() -> Pictures:
    return Pictures()


def wheel() -> Wheel:
    return Wheel()


def number() -> int:
    return 7
