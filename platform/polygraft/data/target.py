"""Target: what a task wants to know, as the training rows show it; and the labels of all rows, before anything is known of the split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from polygraft.data.ragged import Ragged
from polygraft.data.spec import TargetSpec


@dataclass(frozen=True)
class Target:
    """What the training rows say of one task's target; all counts and moments are theirs.

    kind: one of `data/target_kinds`, which says what a label's array is. A missing label stays missing and is masked.
    levels: of a category, in their natural order; of labels, the columns; of a sequence or boxes, the items' or classes' names.
    counts: rows of each level; of labels, rows where it is 1; of a sequence or boxes, items. labelled: rows with a label.
    mean, std: of a number, over the labelled rows, weighted by the row weights; of an environment (`actions`, its levels) the mean
        return of random actions, and how far above it the return lies that counts as solved. means, stds: of numbers, column by column.
    scales: of numbers in a table of series, column by column, how far labels a season apart are from each other on average.
    longest: items of the longest label, where they differ in length.
    """

    task: str
    columns: tuple[str, ...]
    kind: str
    levels: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    labelled: int = 0
    mean: float = 0.0
    std: float = 1.0
    means: tuple[float, ...] = ()
    stds: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()
    longest: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> Target:
        values: dict[str, Any] = {key: tuple(each) if isinstance(each, list) else each for key, each in fields.items()}
        return Target(**values)


@dataclass(frozen=True)
class Labels:
    """A task's labels in all rows, before anything is known of the split.

    values: an array [rows, ...] or Ragged, as the target's kind says; present: bool [rows]; levels: all that occur, in their natural order.
    """

    spec: TargetSpec
    values: np.ndarray | Ragged
    present: np.ndarray
    levels: tuple[str, ...] = ()

    @property
    def array(self) -> np.ndarray:
        """The values of a kind whose labels are all as long."""
        assert isinstance(self.values, np.ndarray), f"labels of a {self.spec.kind} differ in length"
        return self.values

    @property
    def ragged(self) -> Ragged:
        """The values of a kind whose labels differ in length."""
        assert isinstance(self.values, Ragged), f"labels of a {self.spec.kind} are all as long"
        return self.values

    def of(self, rows: np.ndarray) -> Labels:
        """Those of these rows (int64)."""
        values = self.values.of(rows) if isinstance(self.values, Ragged) else self.values[rows]
        return replace(self, values=values, present=self.present[rows])
