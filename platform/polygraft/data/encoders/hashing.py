"""Feature hashing (Weinberger et al. 2009, https://arxiv.org/abs/0902.2206, section 2), one bucket a level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from polygraft.core.catalogue import Range
from polygraft.data.cleaning.base import Levels
from polygraft.data.encoders.base import Encoder
from polygraft.data.plans import CategoryPlan
from polygraft.data.texts import in_arrow


class Hashing(Encoder):
    """A level becomes one of `buckets` codes by its hash: no vocabulary, no level is unknown, some share a code.

    0 stays for the unknown, which a missing value is when no training row misses one; else missing has the last code.
    buckets: how many codes the levels share; with n levels about n^2 / (2 buckets) pairs of them meet.
    """

    takes = ("category",)
    gives = "categories"

    def __init__(self, buckets: Annotated[int, Range(min=1, max=16_777_216)] = 1024) -> None:
        self.buckets = buckets

    def levels(self, name: str, levels: Levels) -> CategoryPlan:
        return CategoryPlan(name, null=levels.nulls > 0, buckets=self.buckets)

    def codes(self, plan: CategoryPlan, levels: Sequence[str]) -> np.ndarray:
        from polygraft.data.kernels.strings import hashes

        return (hashes(in_arrow(levels)) % np.uint64(self.buckets)).astype(np.int32) + 1
