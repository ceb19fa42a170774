"""Equal mixing, Raffel et al. 2020 (https://arxiv.org/abs/1910.10683), section 3.5.2."""

from __future__ import annotations

import numpy as np

from polygraft.data.mixing.base import Mixture, constant


class Uniform(Mixture):
    """One table a step, each with the same chance, however many rows it has."""

    def __init__(self, rows: tuple[int, ...], /) -> None:
        self.tables = len(rows)

    def shares(self, steps: range) -> np.ndarray:
        """1 / tables."""
        return constant(np.ones(self.tables), steps)
