"""Acting: what a task wants that learns from an environment, by what it does there."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

from polygraft.core.exhibits import Exhibit
from polygraft.data.replay import Replayed
from polygraft.data.rollouts import Rollouts
from polygraft.objectives.base import Objective


class Acting(Objective):
    """An objective with a policy; it is scored by the returns of whole episodes, played greedily.

    learns_from - `replay`: what is kept of all that was played; `rollout`: what was played since the last update.
    experience: the same with its settings. episodes: how many are played for a score, each with a seed of its own.
    random, solved: the mean return of random actions, and how far above it 1 stands on the scale of `improvement`.
    """

    target = None
    better = {"return": "max", "improvement": "max"}  # noqa: RUF012 - a fact, read as a literal
    plays = True
    learns_from: ClassVar[Literal["replay", "rollout"]] = "replay"

    experience: Replayed | Rollouts
    episodes: int
    random: float
    solved: float

    @abstractmethod
    def choose(self, outputs: Tensor, chance: Tensor, done: float) -> Tensor:
        """The actions [rows] to learn from, of raw outputs [rows, size] and of chance [rows, 2] in [0, 1).

        done: the share of the run that is done, 0 <= done < 1. A function of nothing else.
        """

    @abstractmethod
    def greedy(self, outputs: Tensor) -> Tensor:
        """The best actions [rows]."""

    def scores(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> dict[str, float]:
        """Of the returns of greedy episodes [episodes, 1]: `return`, their mean; `improvement` is 0 at what random actions get and
        1 at the environment's own `reward_threshold`; where it names none, at what random actions get and as much again.
        """
        if not len(outputs):
            return {}
        mean = float(outputs.double().mean())
        return {"return": mean, "improvement": (mean - self.random) / self.solved}

    def exhibits(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> list[Exhibit]:
        """The returns of the greedy episodes, the least first."""
        returns = np.sort(outputs.flatten().cpu().numpy())
        if not len(returns):
            return []
        words = {"x": "episode", "y": "return"}
        return [Exhibit("curve", f"{self.task}: returns", {"x": np.arange(len(returns)), "y": returns}, words)]
