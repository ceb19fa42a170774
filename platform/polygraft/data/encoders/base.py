"""What an encoder is: the first plan of a column, and what finishes it once the cleaning steps have spoken."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
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

    def codes(self, plan: CategoryPlan, levels: Sequence[str]) -> np.ndarray:
        """int32 [levels]: the code of each level, as spelled."""
        return plan.codes(levels)

    def mapping(self, plan: CategoryPlan, texts: Sequence[str]) -> tuple[np.ndarray, int]:
        """(int32 [texts], the code of each text, -1 where it means that the value is missing; the code of a missing value)."""
        if not plan.spellings:
            codes = self.codes(plan, texts)
        else:
            spelled = plan.spelled(texts)
            missing = np.fromiter((text is None for text in spelled), np.bool_, len(spelled))
            codes = np.where(missing, np.int32(-1), self.codes(plan, [text or "" for text in spelled]))
        if plan.fill is not None:
            return codes, int(self.codes(plan, [plan.fill])[0])
        return codes, plan.size - 1 if plan.null else 0
