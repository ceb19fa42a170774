"""What a kind of target is: the form of a task's labels, read from its columns, and what the training rows say of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pyarrow as pa

from polygraft.data.label_values import part_faults
from polygraft.data.ragged import Ragged
from polygraft.data.spec import TargetSpec
from polygraft.data.target import Labels, Target


class TargetKind(ABC):
    """Class facts: `columns`, how many columns a target has, the fewest and the most (None: any number); `streams`, whether a table
    that is cleaned in a stream may have one.
    """

    columns: ClassVar[tuple[int, int | None]] = (1, 1)
    streams: ClassVar[bool] = False

    @abstractmethod
    def read(self, spec: TargetSpec, columns: Sequence[pa.ChunkedArray]) -> Labels:
        """The labels of all rows; where one is missing any finite value, or no item. Raises UnfitError."""

    @abstractmethod
    def encode(self, target: Target, columns: Sequence[pa.ChunkedArray]) -> tuple[np.ndarray | Ragged, np.ndarray]:
        """(values, bool [rows] present) of any rows, as training knew them. Raises UnfitError."""

    @abstractmethod
    def facts(self, labels: Labels, rows: np.ndarray, weights: np.ndarray) -> Target:
        """What these labelled rows (int64, the training ones) of such weights (float64) say."""

    def without(self, labels: Labels, gone: np.ndarray) -> Labels:
        """The labels less what is not to be known of them, bool [rows, columns]; as a rule a row lacks all or nothing."""
        return replace(labels, present=labels.present & ~gone.any(1))

    def in_series(self, target: Target, labels: Labels, rows: np.ndarray, earlier: np.ndarray) -> Target:
        """What the order of these labelled rows adds. earlier: int64 [all rows], the row a season earlier, -1 where there is none."""
        return target

    def lacking(self, labels: Labels, rows: np.ndarray, part: str) -> list[str]:
        """What these labelled rows of a part ought to have and do not; as a rule nothing."""
        return []


class Counted(TargetKind):
    """Labels of levels that are counted: the training rows must show every one."""

    streams = True

    @abstractmethod
    def counts(self, labels: Labels, rows: np.ndarray) -> np.ndarray:
        """int64 [levels]: how many of these labelled rows have each."""

    def facts(self, labels: Labels, rows: np.ndarray, weights: np.ndarray) -> Target:
        spec, counts = labels.spec, self.counts(labels, rows)
        return Target(spec.task, spec.columns, spec.kind, labels.levels, tuple(counts.tolist()), len(rows))

    def lacking(self, labels: Labels, rows: np.ndarray, part: str) -> list[str]:
        """A class of many may well be absent from a small part that is only scored."""
        counts = self.counts(labels, rows)
        return part_faults(labels.spec, labels.levels, part, labelled=len(rows), counts=counts)
