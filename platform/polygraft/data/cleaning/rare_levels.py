"""Standard folding of rare levels into the unknown one (as min_frequency of scikit-learn's OneHotEncoder)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from polygraft.core.catalogue import Range
from polygraft.data.cleaning.base import Cleaning, Levels
from polygraft.data.plans import CategoryPlan


class RareLevels(Cleaning):
    """Make one level, the unknown one, of all levels seen less than `min_count` times in the training rows.

    That gives the unknown level rows to learn from: what it stands for at prediction are levels never seen.
    min_count: how often a level must occur to be kept.
    """

    def __init__(self, min_count: Annotated[int, Range(min=1)] = 10) -> None:
        self.min_count = min_count

    def category(self, plan: CategoryPlan, levels: Levels) -> CategoryPlan:
        filled = {plan.fill: levels.nulls}  # rows that a step before has given a level
        counts = {level: levels.counts.get(level, 0) + filled.get(level, 0) for level in plan.levels}
        kept = tuple(level for level in plan.levels if counts[level] >= self.min_count)
        return replace(plan, levels=kept, null=plan.null and levels.nulls >= self.min_count)
