"""Rollouts: what instances have just shown, in a row, for learning on policy (Mnih et al. 2016, https://arxiv.org/abs/1602.01783)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from polygraft.core.batch import Batch
from polygraft.data.environments import Moves


@dataclass(frozen=True)
class Rollouts:
    """An objective learns from what was played since its last update, and from nothing else: a step's rows / instances of each."""


def rollout(moves: Sequence[Moves], task: str) -> Batch:
    """The rows of some steps, instance after instance, each in the order of time.

    `played/cut` is 1 where what follows a row is no row of this batch: its episode ended, or the rollout did.
    """

    def rows(name: str) -> np.ndarray:
        stacked = np.stack([getattr(each, name) for each in moves], 1)  # [instances, steps, ...]
        return stacked.reshape(-1, *stacked.shape[2:])

    cut = rows("ended")
    cut[len(moves) - 1 :: len(moves)] = True
    inputs = {
        "numbers": rows("observations"),
        "played/actions": rows("actions"),
        "played/rewards": rows("rewards"),
        "played/following": rows("following"),
        "played/terminated": rows("terminated"),
        "played/cut": cut,
    }
    count = len(cut)
    return Batch(
        inputs={name: torch.from_numpy(array) for name, array in inputs.items()},
        present={task: torch.ones(count, dtype=torch.bool)},
        weights=torch.ones(count),
        rows=torch.arange(count),
    )
