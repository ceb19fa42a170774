"""Annealed sampling, Stickland and Murray 2019 (https://arxiv.org/abs/1902.02671), "BERT and PALs"."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from polygraft.core.catalogue import Range
from polygraft.data.mixing.base import Mixture


class Annealed(Mixture):
    """One table a step, by its training rows to a power that moves in a straight line over the run.

    At first large tables are drawn more often, at last all nearly alike. The paper moves it once an epoch; here it moves
    at every step, as a run over several tables has no epoch that means the same for all.

    first, last: the power at the first and at the last step; 1 is proportional, 0 uniform.
    """

    def __init__(
        self,
        rows: tuple[int, ...],
        steps: int,
        /,
        first: Annotated[float, Range(min=0, max=1)] = 1.0,
        last: Annotated[float, Range(min=0, max=1)] = 0.2,
    ) -> None:
        self.sizes, self.steps = np.array(rows) / max(rows), steps
        self.first, self.last = first, last

    def shares(self, steps: range) -> np.ndarray:
        """rows^power(step), brought to a sum of 1; past the run's end the power stays."""
        done = np.minimum(np.arange(steps.start, steps.stop) / max(self.steps - 1, 1), 1)
        powers = self.sizes ** (self.first + (self.last - self.first) * done[:, None])
        return powers / powers.sum(1, keepdims=True)
