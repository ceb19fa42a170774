"""Mixing ratios as given, Luong et al. 2016 (https://arxiv.org/abs/1511.06114), "Multi-task Sequence to Sequence Learning"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np

from polygraft.core.catalogue import Range
from polygraft.data.mixing.base import Mixture, constant


class Fixed(Mixture):
    """One table a step, by shares that a person chose.

    shares: of each table, of any sum; 3 and 1 are the same as .75 and .25.
    """

    by_table = ("shares",)

    def __init__(self, tables: tuple[str, ...], /, shares: Mapping[str, Annotated[float, Range(min=0)]]) -> None:
        self.given = np.array([shares[table] for table in tables], np.float64)

    def shares(self, steps: range) -> np.ndarray:
        """The given ones, brought to a sum of 1."""
        return constant(self.given, steps)
