"""Targets: what a task wants to know, as arrays; a missing label stays missing and is masked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polygraft.core.errors import fault
from polygraft.data.arrow_types import computable
from polygraft.data.columns import UnfitError, as_boolean, as_category, as_floats
from polygraft.data.spec import TargetSpec


@dataclass(frozen=True)
class Target:
    """What the training rows say of one task's target; all counts and moments are theirs.

    kind: `category` (arrays are int64 [rows], places in `levels`), `number` (float32 [rows], in its own unit), `labels`
        (float32 [rows, len(columns)], 0 or 1; a row is present when it has all of them).
    levels: of a category, in their natural order; of labels, the columns.
    counts: rows of each level; of labels, rows where it is 1. labelled: rows with a label.
    mean, std: of a number, over the labelled rows, weighted by the row weights. Of an environment (`actions`, its levels) the mean
        return of random actions, and how far above it the return lies that counts as solved.
    """

    task: str
    columns: tuple[str, ...]
    kind: Literal["category", "number", "labels", "actions"]
    levels: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    labelled: int = 0
    mean: float = 0.0
    std: float = 1.0

    def encode(self, table: pa.Table, where: str = "") -> tuple[np.ndarray, np.ndarray]:
        """(values, present) of a raw table's rows. A level that training did not know is not present.

        Raises UserError for a missing column and for values that do not fit.
        """
        missing = [column for column in self.columns if column not in table.column_names]
        if missing:
            raise fault(f"task '{self.task}' needs the column '{missing[0]}' for its labels, and there is none.", where)
        try:
            if self.kind == "category":
                return _codes(category_of(table.column(self.columns[0])), self.levels)
            return values_of(self.kind, [table.column(column) for column in self.columns])
        except UnfitError as error:
            raise fault(f"the target '{', '.join(self.columns)}' of task '{self.task}': {error}", where) from error

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> Target:
        values: dict[str, Any] = {key: tuple(each) if isinstance(each, list) else each for key, each in fields.items()}
        return Target(**values)


@dataclass(frozen=True)
class Labels:
    """A task's labels in all rows, before anything is known of the split.

    values, present: as Target.encode gives them; levels: all that occur, in their natural order.
    """

    spec: TargetSpec
    values: np.ndarray
    present: np.ndarray
    levels: tuple[str, ...]

    def target(self, training: np.ndarray, weights: np.ndarray) -> Target:
        """What the training rows (row numbers) say."""
        rows = training[self.present[training]]
        values = self.values[rows]
        spec = self.spec
        if spec.kind == "category":
            counts = np.bincount(values, minlength=len(self.levels)).tolist()
            return Target(spec.task, spec.columns, spec.kind, self.levels, tuple(counts), len(rows))
        if spec.kind == "labels":
            counts = values.sum(0, dtype=np.int64).tolist()
            return Target(spec.task, spec.columns, spec.kind, spec.columns, tuple(counts), len(rows))
        weight = weights[rows].astype(np.float64)
        mean, std = 0.0, 0.0
        if weight.sum() > 0:
            mean = float(np.average(values, weights=weight))
            std = float(np.sqrt(np.average((values.astype(np.float64) - mean) ** 2, weights=weight)))
        return Target(spec.task, spec.columns, spec.kind, labelled=len(rows), mean=mean, std=std or 1.0)


def read_labels(spec: TargetSpec, table: pa.Table) -> Labels:
    """A task's labels. Raises UnfitError for values that do not fit its kind; the columns are there."""
    columns = [table.column(column) for column in spec.columns]
    if spec.kind == "category":
        column = category_of(columns[0])
        levels = natural_order(pc.unique(column.cast(pa.string())).to_pylist(), columns[0].type)
        if len(levels) == 1:
            raise UnfitError(f"every label is '{levels[0]}'; there is nothing to learn.")
        values, present = _codes(column, levels)
        return Labels(spec, values, present, levels)
    values, present = values_of(spec.kind, columns)
    return Labels(spec, values, present, spec.columns if spec.kind == "labels" else ())


def split_faults(labels: Labels, splits: Mapping[str, np.ndarray]) -> list[str]:
    """What each part lacks: any label at all; in training any class; in validation and test a second class.

    A class of many may well be absent from a small part that is only scored; the training rows must show every one.
    """
    faults = []
    for part, rows in splits.items():
        values = labels.values[rows[labels.present[rows]]]
        if labels.spec.kind == "category":
            counts = np.bincount(values, minlength=len(labels.levels))
        else:
            counts = np.atleast_1d(values.sum(0))
        if len(rows):
            faults += part_faults(labels.spec, labels.levels, part, labelled=len(values), counts=counts)
    return faults


def part_faults(
    spec: TargetSpec, levels: tuple[str, ...], part: str, *, labelled: int, counts: np.ndarray
) -> list[str]:
    """The same of one part that has rows. counts: of each level, among its `labelled` rows that have a label."""
    if not labelled:
        return [f"no {part} row has a label."]
    if spec.kind == "category":
        absent = [level for level, count in zip(levels, counts, strict=True) if not count]
        if absent and (part == "training" or len(absent) == len(levels) - 1):
            shown = ", ".join(f"'{level}'" for level in absent[:5]) + (" ..." if len(absent) > 5 else "")
            return [f"no {part} row is of class {shown}."]
    elif spec.kind == "labels" and part == "training":
        absent = [name for name, count in zip(levels, counts, strict=True) if not count]
        return [f"no {part} row has the label '{name}'." for name in absent]
    return []


def infinite(labels: Labels) -> int:
    """How many labels are infinite."""
    return int(np.isinf(labels.values).sum()) if labels.spec.kind == "number" else 0


def category_of(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A category column; whole numbers written as floats (a null makes pandas do so) lose their `.0`."""
    column = computable(column)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        if (
            pc.all(pc.less(pc.abs(column), pa.scalar(2.0**53, column.type))).as_py()
            and pc.all(pc.equal(pc.floor(column), column)).as_py()
        ):
            column = column.cast(pa.int64(), safe=False)  # exact: Arrow's own bound for float32 is 2**24
    return as_category(column)


def natural_order(levels: Iterable[str | None], raw: pa.DataType) -> tuple[str, ...]:
    """The levels that are not null: numbers by value, all else by text. raw: the column's type."""
    known = [level for level in levels if level is not None]
    if pa.types.is_integer(raw) or pa.types.is_floating(raw) or pa.types.is_decimal(raw):
        return tuple(sorted(known, key=float))
    return tuple(sorted(known))


def _codes(column: pa.ChunkedArray, levels: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    code = pc.index_in(column.cast(pa.string()), pa.array(levels, pa.string()))
    present = np.asarray(code.is_valid())
    return np.asarray(code.fill_null(0), np.int64), present


def values_of(kind: str, columns: list[pa.ChunkedArray]) -> tuple[np.ndarray, np.ndarray]:
    """(values, present) of a number or of labels. Raises UnfitError."""
    if kind == "labels":
        truths = [as_boolean(column) for column in columns]
        present = np.logical_and.reduce([np.asarray(truth.is_valid()) for truth in truths])
        values = np.stack([np.asarray(truth.fill_null(False)) for truth in truths], 1)
        return values.astype(np.float32), present
    with np.errstate(over="ignore"):  # what is too large for 32 bits is infinite, and told so
        values = as_floats(columns[0]).astype(np.float32)
    present = ~np.isnan(values)
    return np.where(present, values, np.float32(0)), present
