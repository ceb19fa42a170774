"""Temperature-scaled mixing, Raffel et al. 2020 (https://arxiv.org/abs/1910.10683), section 3.5.2."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from polygraft.core.catalogue import Range
from polygraft.data.mixing.base import Mixture, constant


class Temperature(Mixture):
    """One table a step, by its training rows to the power 1 / temperature: between `proportional` and `uniform`.

    temperature: 1 is proportional, 2 goes by the root of the rows, a large one is uniform.
    """

    def __init__(self, rows: tuple[int, ...], /, temperature: Annotated[float, Range(min=1)] = 2.0) -> None:
        self.powers = (np.array(rows) / max(rows)) ** (1 / temperature)

    def shares(self, steps: range) -> np.ndarray:
        """rows^(1 / temperature), brought to a sum of 1."""
        return constant(self.powers, steps)
