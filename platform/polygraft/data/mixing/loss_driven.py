"""Sampling by the loss ratio, the measure L(t) / L(0) of GradNorm, Chen et al. 2018 (https://arxiv.org/abs/1711.02257), section 3.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from polygraft.core.catalogue import Range
from polygraft.data.mixing.base import Remembering


class LossDriven(Remembering):
    """One table a step, the more often, the more of its tasks' first losses is left.

    GradNorm weighs gradients by this ratio to a power; here it says which table comes next. A ratio is of a moving
    average of the task's losses to its first one, a table's the mean over its tasks, and 1 where none was seen yet.
    Losses that may be negative have no such ratio; theirs stays 1.

    power: 0 is uniform, more is stricter. floor: part of the chance that is spread evenly, so that no table is forgotten.
    memory: of the moving average, at each draw of the task's table.
    """

    def __init__(
        self,
        tasks: tuple[tuple[str, ...], ...],
        /,
        power: Annotated[float, Range(min=0)] = 1.0,
        floor: Annotated[float, Range(above=0, max=1)] = 0.1,
        memory: Annotated[float, Range(min=0, below=1)] = 0.9,
    ) -> None:
        self.names = tuple(task for mine in tasks for task in mine)
        self.owner = np.repeat(np.arange(len(tasks)), [len(mine) for mine in tasks])  # table of each task
        self.tables = len(tasks)
        self.power, self.floor, self.memory = power, floor, memory
        self.first, self.recent = np.full(len(self.names), np.nan), np.full(len(self.names), np.nan)

    def shares(self, steps: range) -> np.ndarray:
        """floor / tables + (1 - floor) ratio^power, the latter brought to a sum of 1."""
        assert len(steps) == 1, "what comes after the next step depends on it"
        powers = self.ratios() ** self.power
        whole = powers.sum()
        driven = powers / whole if whole > 0 else np.full(self.tables, 1 / self.tables)
        return (self.floor / self.tables + (1 - self.floor) * driven)[None]

    def ratios(self) -> np.ndarray:
        """Float64 [tables]: what is left of the first losses."""
        known = self.first > 0  # no NaN is
        each = np.ones(len(self.names))
        each[known] = np.maximum(self.recent[known] / self.first[known], 0)
        return np.bincount(self.owner, each, self.tables) / np.bincount(self.owner, minlength=self.tables)

    def observe(self, losses: Mapping[str, float]) -> None:
        """Take the losses into the averages."""
        for k, name in enumerate(self.names):
            if name in losses:
                new = np.isnan(self.first[k])
                self.first[k] = losses[name] if new else self.first[k]
                self.recent[k] = (
                    losses[name] if new else self.memory * self.recent[k] + (1 - self.memory) * losses[name]
                )

    def state(self) -> dict[str, Tensor]:
        """Float64 [tasks] each, NaN where a task was not seen."""
        return {"first": torch.from_numpy(self.first.copy()), "recent": torch.from_numpy(self.recent.copy())}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Strict in names and shapes."""
        found = {name: state[name].numpy().copy() for name in ("first", "recent")}
        assert state.keys() == found.keys()
        assert all(each.shape == self.first.shape for each in found.values())
        self.first, self.recent = found["first"], found["recent"]
