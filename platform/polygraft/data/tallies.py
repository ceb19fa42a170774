"""What one pass over the rows of a table counts of each column and each target; tallies of parts that follow are merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pyarrow as pa

from polygraft.data.cleaning.base import Levels
from polygraft.data.columns import levels_of
from polygraft.data.encoders.base import Encoder
from polygraft.data.known import totals
from polygraft.data.label_values import category_of, natural_order, values_of
from polygraft.data.spec import TargetSpec
from polygraft.data.splits import NAMES, TRAINING
from polygraft.data.streamed import Streamed
from polygraft.data.target import Target

MOST_LEVELS = 2**20
"""Levels of a column that are counted; so many take about 200 MB."""


@dataclass
class LevelCounts:
    """How often each text occurs. counts: int64 [rows of each split] by level; None once there are more than 2^20 levels."""

    counts: dict[str, np.ndarray] | None = field(default_factory=dict)
    nulls: int = 0

    def add(self, column: pa.ChunkedArray, parts: np.ndarray) -> None:
        """See a conformed category column. nulls are those of training rows."""
        texts, start = levels_of(column), 0
        table = np.zeros((len(texts) + 1, len(NAMES)), np.int64)
        for chunk in column.chunks:
            codes = np.asarray(chunk.indices.fill_null(len(texts)), np.int64)
            places = codes * len(NAMES) + parts[start : start + len(chunk)]
            table += np.bincount(places, minlength=table.size).reshape(table.shape)
            start += len(chunk)
        self.nulls += int(table[-1, TRAINING])
        self._take({text: counts for text, counts in zip(texts, table, strict=False) if counts.any()})

    def merge(self, other: LevelCounts) -> None:
        """See what another saw."""
        self.nulls += other.nulls
        self._take(other.counts)

    def _take(self, counts: Mapping[str, np.ndarray] | None) -> None:
        if self.counts is None or counts is None:
            self.counts = None
            return
        for text, each in counts.items():
            self.counts[text] = self.counts[text] + each if text in self.counts else each
        if len(self.counts) > MOST_LEVELS:
            self.counts = None

    def levels(self) -> Levels:
        """As the training rows show them."""
        counts = {text: int(each[TRAINING]) for text, each in (self.counts or {}).items() if each[TRAINING]}
        return Levels(counts, self.nulls)


@dataclass
class ColumnTally:
    """A feature's column. nulls: rows that are; numbers: by the encoder's parts; levels: of a category."""

    rows: int = 0
    nulls: int = 0
    numbers: dict[str, Streamed] = field(default_factory=dict)
    levels: LevelCounts = field(default_factory=LevelCounts)

    def add(self, raw: pa.ChunkedArray, conformed: pa.ChunkedArray, parts: np.ndarray, encoder: Encoder) -> None:
        """See a block's column, as it is and in its kind's form."""
        self.rows, self.nulls = self.rows + len(raw), self.nulls + raw.null_count
        if encoder.gives == "categories":
            self.levels.add(conformed, parts)
            return
        for part, values in encoder.parts(conformed).items():
            self.numbers.setdefault(part, Streamed()).add(values, parts == TRAINING)

    def merge(self, other: ColumnTally) -> None:
        """See what another saw of the rows that come next."""
        self.rows, self.nulls = self.rows + other.rows, self.nulls + other.nulls
        self.levels.merge(other.levels)
        for part, known in other.numbers.items():
            self.numbers.setdefault(part, Streamed()).merge(known)


@dataclass
class LabelTally:
    """A task's labels. labelled: int64 [rows of each split]; ones: of `labels`, by column and split; sums: of training rows' numbers."""

    spec: TargetSpec
    type: pa.DataType
    levels: LevelCounts = field(default_factory=LevelCounts)
    labelled: np.ndarray = field(default_factory=lambda: np.zeros(len(NAMES), np.int64))
    ones: np.ndarray = field(init=False)
    infinite: int = 0
    sums: tuple[Fraction, Fraction, Fraction] = (Fraction(0), Fraction(0), Fraction(0))  # of w, w v and w v v

    def __post_init__(self) -> None:
        self.ones = np.zeros((len(NAMES), len(self.spec.columns)), np.int64)

    def add(self, table: pa.Table, parts: np.ndarray, weights: np.ndarray) -> None:
        """See a block. Raises UnfitError for values that do not fit."""
        columns = [table.column(column) for column in self.spec.columns]
        if self.spec.kind == "category":
            column = category_of(columns[0])
            self.levels.add(column, parts)
            self.labelled += np.bincount(parts[np.asarray(column.is_valid())], minlength=len(NAMES))
            return
        values, present = values_of(self.spec.kind, columns)
        self.labelled += np.bincount(parts[present], minlength=len(NAMES))
        if self.spec.kind == "labels":
            for part in NAMES.values():
                self.ones[part] += values[present & (parts == part)].sum(0, dtype=np.int64)
            return
        self.infinite += int(np.isinf(values).sum())
        chosen = present & (parts == TRAINING) & np.isfinite(values)
        value, weight = values[chosen].astype(np.float64), weights[chosen].astype(np.float64)
        found = (totals(each)[0] for each in (weight, weight * value, weight * value * value))
        self._sum(*found)

    def merge(self, other: LabelTally) -> None:
        """See what another saw of the rows that come next."""
        self.levels.merge(other.levels)
        self.labelled, self.ones = self.labelled + other.labelled, self.ones + other.ones
        self.infinite += other.infinite
        self._sum(*other.sums)

    def _sum(self, weight: Fraction, first: Fraction, second: Fraction) -> None:
        self.sums = self.sums[0] + weight, self.sums[1] + first, self.sums[2] + second

    def names(self) -> tuple[str, ...]:
        """The levels in their natural order; of `labels`, the columns."""
        return natural_order(self.levels.counts or {}, self.type) if self.spec.kind == "category" else self.spec.columns

    def counts(self, part: int) -> np.ndarray:
        """int64 [levels]: rows of each level, of one split."""
        if self.spec.kind != "category":
            return self.ones[part]
        return np.array([(self.levels.counts or {})[level][part] for level in self.names()], np.int64)

    def target(self) -> Target:
        """What the training rows say."""
        spec, labelled = self.spec, int(self.labelled[TRAINING])
        if spec.kind == "category" or spec.kind == "labels":
            counts = tuple(self.counts(TRAINING).tolist())
            return Target(spec.task, spec.columns, spec.kind, self.names(), counts, labelled)
        weight, first, second = self.sums
        if weight <= 0:
            return Target(spec.task, spec.columns, spec.kind, labelled=labelled)
        mean = first / weight
        std = float(max(second / weight - mean**2, Fraction(0))) ** 0.5
        return Target(spec.task, spec.columns, spec.kind, labelled=labelled, mean=float(mean), std=std or 1.0)
