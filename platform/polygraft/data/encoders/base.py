"""What an encoder is: the first plan of a column, and what finishes it once the cleaning steps have spoken."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa

from polygraft.data.cleaning.base import Levels
from polygraft.data.known import Known
from polygraft.data.plans import CategoryPlan, NumberPlan


class Encoder(ABC):
    """Class facts: `takes`, the kinds of columns it encodes; `gives`, the matrix it writes to, or `input` (see InputEncoder); `bends`,
    whether `bend` is called.

    A number column that bends costs a pass of its own over its values, in float64; the others are encoded in one pass together.
    """

    takes: ClassVar[tuple[str, ...]]
    gives: ClassVar[Literal["numbers", "categories", "input"]]
    bends: ClassVar[bool] = False

    def wants(self) -> tuple[float, ...]:
        """Quantiles, in [0, 1], that `finish` will ask for, of number columns: found in one pass with those of the cleaning steps."""
        return ()

    def parts(self, column: pa.ChunkedArray) -> dict[str, pa.ChunkedArray]:
        """The number columns that a column is taken apart into, by the part's name; as a rule itself, under no name."""
        return {"": column}

    def finish(self, part: str, plan: NumberPlan, known: Known) -> NumberPlan:
        """The plan of a number column after all cleaning steps: its mean and scale."""
        return plan

    def bend(self, plan: NumberPlan, values: np.ndarray) -> np.ndarray:
        """Filled and clipped values, float64 [rows], as they are before mean and scale. NaN and infinities stay what they are.

        An element's result depends on nothing but itself and the plan: batches of any size are encoded alike.
        """
        return values

    def levels(self, name: str, levels: Levels) -> CategoryPlan:
        """The plan of a category column before the cleaning steps."""
        return CategoryPlan(name)
