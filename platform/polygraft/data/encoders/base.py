"""What an encoder is: the first plan of a column, and what finishes it once the cleaning steps have spoken."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar, Literal

import pyarrow as pa

from polygraft.data.cleaning.base import Levels
from polygraft.data.known import Known
from polygraft.data.plans import CategoryPlan, NumberPlan


class Encoder(ABC):
    """Class facts: `takes`, the kinds of columns it encodes; `gives`, the matrix it writes to, or `input` (see InputEncoder)."""

    takes: ClassVar[tuple[str, ...]]
    gives: ClassVar[Literal["numbers", "categories", "input"]]

    def parts(self, column: pa.ChunkedArray) -> dict[str, pa.ChunkedArray]:
        """The number columns that a column is taken apart into, by the part's name; as a rule itself, under no name."""
        return {"": column}

    def finish(self, part: str, plan: NumberPlan, known: Known) -> NumberPlan:
        """The plan of a number column after all cleaning steps: its mean and scale."""
        return plan

    def levels(self, name: str, levels: Levels) -> CategoryPlan:
        """The plan of a category column before the cleaning steps."""
        return CategoryPlan(name)
