"""What a cleaning step is: a change of a column's plan, or of the training rows; decided by the training rows alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from polygraft.data.known import Known
from polygraft.data.plans import CategoryPlan, NumberPlan
from polygraft.data.spelling import Spelling
from polygraft.data.training_rows import TrainingRows


@dataclass(frozen=True)
class Levels:
    """How often each level of a category occurs in the training rows, and how many of them are null."""

    counts: Mapping[str, int]
    nulls: int

    def spelled(self, spelling: Spelling) -> Levels:
        """The same rows, their texts spelled so."""
        counts: Counter[str] = Counter()
        nulls = self.nulls
        for level, count in zip(spelling.of(list(self.counts)), self.counts.values(), strict=True):
            if level is None:
                nulls += count
            else:
                counts[level] += count
        return Levels(dict(counts), nulls)


class Cleaning(ABC):  # noqa: B024 - a step that has nothing to say of a kind leaves its plans alone
    """A step of `clean:`. Steps are pure functions of a plan and of what the training rows hold, applied in their order."""

    acts_on: ClassVar[Literal["columns", "rows"]] = "columns"

    def wants(self) -> tuple[float, ...]:
        """Quantiles, in [0, 1], that `number` will ask for: all steps' wishes are found in one pass."""
        return ()

    def streams(self) -> bool:
        """Whether what it asks for can be found without the training rows being held together."""
        return True

    def spelling(self) -> Spelling | None:
        """How the texts of category columns are spelled before any step sees them; None leaves them alone."""
        return None

    def number(self, plan: NumberPlan, known: Known) -> NumberPlan:
        """The plan of a number column after this step."""
        return plan

    def category(self, plan: CategoryPlan, levels: Levels) -> CategoryPlan:
        """The plan of a category column after this step."""
        return plan


@dataclass(frozen=True)
class RowChange:
    """What a row step makes of the training rows that it was shown.

    factors: float [rows], finite and not negative, on each row's weight; a row with 0 is dropped.
    unlabelled: by task, bool [rows]: rows whose label is taken away; they stay for the other tasks.
    """

    factors: np.ndarray
    unlabelled: Mapping[str, np.ndarray] = field(default_factory=dict)


class RowStep(ABC):
    """A step of `clean:` that drops, reweighs or unlabels training rows; validation, test and prediction never lose a row.

    Row steps come before all column steps, in their own order: what they drop, no column is fitted on. Each sees what the
    one before has kept, and factors multiply. A step is a pure function of those rows and of the suite's seed.
    """

    acts_on: ClassVar[Literal["columns", "rows"]] = "rows"

    @abstractmethod
    def change(self, rows: TrainingRows) -> RowChange:
        """What becomes of the rows. Raises UserError for a setting that these rows do not allow."""
