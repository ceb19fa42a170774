"""What a cleaning step is: a change of a column's plan, decided by the training rows alone."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass

from polygraft.data.known import Known
from polygraft.data.plans import CategoryPlan, NumberPlan


@dataclass(frozen=True)
class Levels:
    """How often each level of a category occurs in the training rows, and how many of them are null."""

    counts: Mapping[str, int]
    nulls: int


class Cleaning(ABC):  # noqa: B024 - a step that has nothing to say of a kind leaves its plans alone
    """A step of `clean:`. Steps are pure functions of a plan and of what the training rows hold, applied in their order."""

    def wants(self) -> tuple[float, ...]:
        """Quantiles, in [0, 1], that `number` will ask for: all steps' wishes are found in one pass."""
        return ()

    def number(self, plan: NumberPlan, known: Known) -> NumberPlan:
        """The plan of a number column after this step."""
        return plan

    def category(self, plan: CategoryPlan, levels: Levels) -> CategoryPlan:
        """The plan of a category column after this step."""
        return plan
