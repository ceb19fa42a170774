"""Turns: which tables each step takes, and how often each was taken before, by counted chance or by history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from polygraft.core.seeding import numpy_generator
from polygraft.data.mixing.base import Mixture, Remembering

_BLOCK = 1024  # steps whose chance is drawn at once: step t's is number t % 1024 of block t // 1024


class Turns:
    """A mixture's draws. Without history a pure function of (seed, step): how often a table was taken before is counted anew.

    A table's n-th turn takes the n-th batch of its line, so that its rows come evenly however seldom it is taken.
    """

    def __init__(self, tables: Sequence[str], mixture: Mixture, seed: int) -> None:
        self.tables, self.mixture, self.seed = tuple(tables), mixture, seed
        self.together = mixture.takes == "all"
        self.remembers = isinstance(mixture, Remembering)
        self._counts = np.zeros(len(self.tables), np.int64)  # of all steps before `_step`; with history: its part of it
        self._step = 0
        self._last = np.zeros(len(self.tables), bool)

    def taken(self, steps: range) -> np.ndarray:
        """Bool [steps, tables]: what each of these steps takes; of a mixture with history, the next step alone may be asked."""
        shape = len(steps), len(self.tables)
        if self.together:
            return np.ones(shape, bool)
        if self.remembers:
            assert steps == range(self._step, self._step + 1), f"step {self._step} is next, not {steps}"
        bounds = self.mixture.shares(steps).cumsum(1)
        chosen = (self._chance(steps)[:, None] >= bounds[:, :-1] / bounds[:, -1:]).sum(1)
        taken: np.ndarray = np.arange(len(self.tables)) == chosen[:, None]
        if self.remembers:
            self._last = taken[0]
        return taken

    def count(self, steps: range) -> np.ndarray:
        """Int64 [tables]: how many of these steps take each table; without history, else of all steps so far alone."""
        if self.remembers:
            assert steps == range(self._step), f"{self._step} steps were observed, not {steps}"
            return self._counts.copy()
        parts = range(steps.start, steps.stop, 64 * _BLOCK)
        counts = (self.taken(range(first, min(first + parts.step, steps.stop))).sum(0) for first in parts)
        return sum(counts, np.zeros(len(self.tables), np.int64))

    def observe(self, step: int, losses: Mapping[str, float]) -> None:
        """Hear what a step's losses were; only a mixture with history listens."""
        if isinstance(self.mixture, Remembering):
            assert step == self._step
            self.mixture.observe(losses)
            self._counts, self._step = self._counts + self._last, step + 1

    def told(self, step: int) -> dict[str, float]:
        """Of each table after `step` steps: how many took it, their share, and its chance at the last of them, or at the next
        one where there is history. Nothing where every step takes every table.
        """
        if self.together or not step:
            return {}
        if not self.remembers:
            if step < self._step:
                self._step, self._counts = 0, np.zeros_like(self._counts)
            self._counts, self._step = self._counts + self.count(range(self._step, step)), step
        chances = self.mixture.shares(range(step - 1, step))[0]
        found: dict[str, float] = {}
        for table, drawn, chance in zip(self.tables, self._counts.tolist(), chances.tolist(), strict=True):
            found |= {f"{table}/drawn": drawn, f"{table}/share": drawn / step, f"{table}/chance": chance}
        return found

    def state(self) -> dict[str, Tensor]:
        """The history; empty where there is none."""
        if not isinstance(self.mixture, Remembering):
            return {}
        mine = {"step": torch.tensor(self._step), "drawn": torch.from_numpy(self._counts.copy())}
        return mine | {f"mixture/{name}": each for name, each in self.mixture.state().items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a saved history; strict."""
        if not isinstance(self.mixture, Remembering):
            assert not state, "a mixture without history was given some"
            return
        self._step, self._counts = int(state["step"]), state["drawn"].numpy().copy()
        assert self._counts.shape == (len(self.tables),)
        self.mixture.load({name.removeprefix("mixture/"): each for name, each in state.items() if "/" in name})

    def _chance(self, steps: range) -> np.ndarray:
        """Float64 [steps] in [0, 1)."""
        blocks = range(steps.start // _BLOCK, -(-steps.stop // _BLOCK))
        drawn = np.concatenate([numpy_generator(self.seed, "mixture", block).random(_BLOCK) for block in blocks])
        first = steps.start - blocks.start * _BLOCK
        return drawn[first : first + len(steps)]
