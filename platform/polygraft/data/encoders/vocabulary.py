"""Standard vocabulary with an unknown level (as StringLookup of Keras: https://keras.io/api/layers/preprocessing_layers/categorical/string_lookup/)."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa

from polygraft.core.catalogue import Range
from polygraft.data.cleaning.base import Levels
from polygraft.data.encoders.base import Encoder
from polygraft.data.plans import CategoryPlan
from polygraft.data.texts import Texts, in_arrow


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
        from polygraft.data.kernels.order import ordered

        texts = in_arrow(levels.counts)
        if self.max_levels is not None and self.max_levels < len(texts):
            kept = sorted(levels.counts, key=lambda level: (-levels.counts[level], level))[: self.max_levels]
            texts = in_arrow(kept)
        return CategoryPlan(name, Texts(texts.take(pa.array(ordered(texts)))), levels.nulls > 0)
