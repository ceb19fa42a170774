"""Standard vocabulary with an unknown level (as StringLookup of Keras: https://keras.io/api/layers/preprocessing_layers/categorical/string_lookup/)."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa

from polygraft.core.catalogue import Range
from polygraft.data.cleaning.base import Levels
from polygraft.data.encoders.base import Encoder
from polygraft.data.plans import CategoryPlan


class Vocabulary(Encoder):
    """A level becomes a code: 0 the unknown one, then the levels of the training rows in the order of their texts, then null.

    Null has a code of its own when a training row is null; else it is unknown.
    max_levels: keep the most frequent ones, of equal ones the first by text; the others are unknown.
    """

    takes = ("category",)
    gives = "categories"

    def __init__(self, max_levels: Annotated[int, Range(min=1)] | None = None) -> None:
        self.max_levels = max_levels

    def levels(self, name: str, levels: Levels) -> CategoryPlan:
        kept = list(levels.counts)
        if self.max_levels is not None and self.max_levels < len(kept):
            kept = sorted(kept, key=lambda level: (-levels.counts[level], level))[: self.max_levels]
        # Arrow sorts by bytes, which of UTF-8 is Python's order, and ten times as fast.
        return CategoryPlan(name, tuple(pa.array(kept, pa.string()).sort().to_pylist()), levels.nulls > 0)
