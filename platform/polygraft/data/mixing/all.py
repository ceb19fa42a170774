"""Standard joint training: each step takes a batch of every table (Caruana 1997, "Multitask Learning", section 2)."""

from __future__ import annotations

import numpy as np

from polygraft.data.mixing.base import Mixture


class All(Mixture):
    """Every table at every step; a small table is gone through more often than a large one."""

    takes = "all"

    def __init__(self, rows: tuple[int, ...], /) -> None:
        self.tables = len(rows)

    def shares(self, steps: range) -> np.ndarray:
        """Equal ones: no table is left out, and nothing is drawn."""
        return np.full((len(steps), self.tables), 1 / self.tables)
