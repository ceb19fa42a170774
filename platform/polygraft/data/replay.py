"""Replay: transitions kept and drawn again, uniformly (Lin 1992) or by how much they surprised.

Prioritised replay is Schaul et al. 2016 (https://arxiv.org/abs/1511.05952), equations 1 and 2 and algorithm 1, proportional. Rows
of several steps are those of Sutton 1988 as Hessel et al. 2018 (https://arxiv.org/abs/1710.02298), section 3, take them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from polygraft.core.batch import Batch
from polygraft.data.environments import Moves

_FLOOR = 1e-6  # a transition without surprise is still drawn now and then


@dataclass(frozen=True)
class Replayed:
    """An objective learns from transitions that are kept, and drawn again.

    capacity: transitions kept, over all shards. warm_up: of them played before the first update. every: steps of each instance
    before each update. n_step: how many rewards a row has. priority: 0 draws uniformly, 1 in proportion to the error.
    correction: the exponent of the importance weights at the beginning; it ends at 1.
    """

    capacity: int
    warm_up: int
    every: int = 1
    n_step: int = 1
    priority: float = 0.0
    correction: float = 0.4


class Replay:
    """The newest transitions of some instances that step together, a ring of `length` steps.

    A row's number is step x instances + instance, the place where it lies in the ring.
    """

    def __init__(self, said: Replayed, length: int, instances: int, width: int) -> None:
        self.said, self.length, self.instances = said, length, instances
        rows = length * instances
        self._arrays: dict[str, np.ndarray] = {
            "observations": np.zeros((rows, width), np.float32),
            "following": np.zeros((rows, width), np.float32),
            "actions": np.zeros(rows, np.int64),
            "rewards": np.zeros(rows, np.float32),
            "terminated": np.zeros(rows, bool),
            "ended": np.zeros(rows, bool),
        }
        self.added = 0  # steps, ever
        self._tree = SumTree(rows) if said.priority else None
        self._largest = 1.0

    @property
    def filled(self) -> int:
        """Steps that lie in the ring."""
        return min(self.added, self.length)

    def add(self, moves: Moves) -> None:
        """Keep a step of every instance, in the place of the oldest one."""
        first = self.added % self.length * self.instances
        for name, array in self._arrays.items():
            array[first : first + self.instances] = getattr(moves, name)
        self.added += 1
        if self._tree is not None:
            self._tree.set(np.arange(first, first + self.instances), np.full(self.instances, self._largest))

    def draw(self, count: int, chance: np.random.Generator, correction: float, task: str) -> Batch:
        """So many rows, with replacement; their weights are the importance weights, 1 at most."""
        rows, weights = self._chosen(count, chance, correction)
        return self._batch(rows, weights, task)

    def prefer(self, rows: np.ndarray, errors: np.ndarray) -> None:
        """Hear how wrong these rows were."""
        if self._tree is not None:
            values = (np.abs(errors.astype(np.float64)) + _FLOOR) ** self.said.priority
            self._tree.set(rows, values)
            self._largest = max(self._largest, float(values.max()))

    def state(self) -> dict[str, Tensor]:
        """Everything."""
        kept = {name: torch.from_numpy(array.copy()) for name, array in self._arrays.items()}
        kept["added"] = torch.tensor(self.added)
        if self._tree is not None:
            kept["priorities"] = torch.from_numpy(self._tree.leaves.copy())
            kept["largest"] = torch.tensor(self._largest, dtype=torch.float64)
        return kept

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a saved state; strict."""
        for name, array in self._arrays.items():
            array[:] = state[name].numpy()
        self.added = int(state["added"])
        if self._tree is not None:
            self._tree.set(np.arange(len(self._tree.leaves)), state["priorities"].numpy())
            self._largest = float(state["largest"])

    def _chosen(self, count: int, chance: np.random.Generator, correction: float) -> tuple[np.ndarray, np.ndarray]:
        known = self.filled * self.instances
        if self._tree is None:
            return chance.integers(known, size=count), np.ones(count, np.float32)
        # The sum is cut into equal ranges, a row from each: a batch is spread over all sizes of error (appendix B.2.1).
        points = (np.arange(count) + chance.random(count)) * (self._tree.total / count)
        rows = self._tree.find(points)
        weights = (known * self._tree.leaves[rows] / self._tree.total) ** -correction
        return rows, (weights / weights.max()).astype(np.float32)

    def _batch(self, rows: np.ndarray, weights: np.ndarray, task: str) -> Batch:
        windows, valid = self._windows(rows)
        lengths = valid.sum(1)
        last = windows[np.arange(len(rows)), lengths - 1]
        kept = self._arrays
        inputs = {
            "numbers": kept["observations"][rows],
            "played/actions": kept["actions"][rows],
            "played/rewards": np.where(valid, kept["rewards"][windows], np.float32(0)),
            "played/lengths": lengths,
            "played/following": kept["following"][last],
            "played/terminated": kept["terminated"][last],
        }
        return Batch(
            inputs={name: torch.from_numpy(array) for name, array in inputs.items()},
            present={task: torch.ones(len(rows), dtype=torch.bool)},
            weights=torch.from_numpy(weights),
            rows=torch.from_numpy(rows),
        )

    def _windows(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(rows [rows, n], bool [rows, n]): each row and those that follow it, up to the end of its episode or the newest one.

        A row close to the newest has fewer rewards; what follows them is estimated all the same.
        """
        ahead = np.arange(self.said.n_step)
        size = self.length * self.instances
        windows = (rows[:, None] + ahead * self.instances) % size
        age = (rows // self.instances - (self.added - self.filled)) % self.length  # steps since the oldest
        there = age[:, None] + ahead < self.filled
        going = ~self._arrays["ended"][windows]
        going = np.logical_and.accumulate(going, 1)
        return windows, there & np.concatenate([np.ones((len(rows), 1), bool), going[:, :-1]], 1)


class SumTree:
    """Numbers >= 0 with their sums over halves, quarters, ...: one is changed, or found by its share, in the logarithm of their count.

    A sum is always that of its two parts, so that it is a function of the numbers alone, whatever came before.
    """

    def __init__(self, count: int) -> None:
        self._size = 1 << (count - 1).bit_length()
        self._sums = np.zeros(2 * self._size)
        self.leaves = self._sums[self._size : self._size + count]

    @property
    def total(self) -> float:
        """The sum of all."""
        return float(self._sums[1])

    def set(self, at: np.ndarray, values: np.ndarray) -> None:
        """Change some; of equal places the last value stays."""
        self.leaves[at] = values
        nodes = at + self._size
        while nodes[0] > 1:
            nodes = np.unique(nodes >> 1) if len(nodes) > 1 else nodes >> 1
            self._sums[nodes] = self._sums[2 * nodes] + self._sums[2 * nodes + 1]

    def find(self, points: np.ndarray) -> np.ndarray:
        """int64: where the running sum passes each point in [0, total); never one that is 0."""
        points, nodes = points.copy(), np.ones(len(points), np.int64)
        while nodes[0] < self._size:
            left = self._sums[2 * nodes]
            right = (points >= left) & (self._sums[2 * nodes + 1] > 0)
            points -= np.where(right, left, 0.0)
            nodes = 2 * nodes + right
        return nodes - self._size
