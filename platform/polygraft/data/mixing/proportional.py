"""Examples-proportional mixing, Raffel et al. 2020 (https://arxiv.org/abs/1910.10683), section 3.5.2."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from polygraft.core.catalogue import Range
from polygraft.data.mixing.base import Mixture, constant


class Proportional(Mixture):
    """One table a step, by its training rows: every row of every table comes equally often.

    limit: rows beyond which a table counts as no larger, so that a huge one does not crowd out the others; null is none.
    """

    def __init__(self, rows: tuple[int, ...], /, limit: Annotated[int | None, Range(min=1)] = None) -> None:
        self.sizes = np.array(rows, np.float64) if limit is None else np.minimum(rows, limit).astype(np.float64)

    def shares(self, steps: range) -> np.ndarray:
        """min(rows, limit), brought to a sum of 1."""
        return constant(self.sizes, steps)
