"""TrainingRows: the training rows of a table, as row steps and samplings are shown them; no other row is ever among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from polygraft.core.errors import UserError, nearest
from polygraft.data.columns import UnfitError, as_category
from polygraft.data.spec import TableSpec
from polygraft.data.target import Labels


@dataclass(frozen=True)
class TrainingRows:
    """Those rows that the steps before have kept. Whatever is asked for has their number of rows, in the table's order.

    table: raw, all of its rows and columns, dropped ones too. columns: the features of all rows, conformed. targets: the
    labels of all rows, by task. numbers: int64 [rows], which rows these are, ascending. weights: float32 [rows].
    place: of the plugin that looks, inside the table (`clean.1`).
    """

    spec: TableSpec
    table: pa.Table
    columns: Mapping[str, pa.ChunkedArray]
    targets: Mapping[str, Labels]
    numbers: np.ndarray
    weights: np.ndarray
    place: str = ""

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def mask(self) -> pa.Array:
        """Bool, one for each row of the table."""
        chosen = np.zeros(self.table.num_rows, bool)
        chosen[self.numbers] = True
        return pa.array(chosen)

    def kept(self, rows: np.ndarray, weights: np.ndarray) -> TrainingRows:
        """The rows of a mask, bool [rows], with other weights, float32 [rows]."""
        return replace(self, numbers=self.numbers[rows], weights=weights[rows])

    def features(self) -> dict[str, pa.ChunkedArray]:
        """All features, conformed."""
        return {name: column.filter(self.mask) for name, column in self.columns.items()}

    def raw(self, name: str, setting: str) -> pa.ChunkedArray:
        """A raw column that `setting` names. Raises UserError when there is none."""
        names = self.table.column_names
        if name not in names:
            raise self.error(setting, f"the table '{self.spec.name}' has no column '{name}'.{nearest(name, names)}")
        return self.table.column(name).filter(self.mask)

    def groups(self, name: str, setting: str) -> np.ndarray:
        """int64 [rows]: a number for each value of a raw column, by first appearance; missing is a value of its own."""
        try:
            column = as_category(self.raw(name, setting))
        except UnfitError as error:
            raise self.error(setting, f"'{name}' has no groups: {error}") from error
        codes = [np.asarray(chunk.indices.fill_null(-1), np.int64) for chunk in column.chunks]
        return np.unique(np.concatenate(codes or [np.empty(0, np.int64)]), return_inverse=True)[1]

    def classes(self, task: str | None, setting: str = "task") -> Labels:
        """The labels, of these rows, of a task with classes; None names the only one. Raises UserError."""
        known = [name for name, each in self.targets.items() if each.spec.kind == "category"]
        if task is None and len(known) != 1:
            which = f"Name one: {', '.join(known)}." if known else "No task of this table predicts classes."
            raise self.error(setting, f"{len(known)} tasks of this table predict classes. {which}")
        if task is not None and task not in known:
            has = f"There are {', '.join(known)}." if known else "There is none."
            raise self.error(setting, f"no task with classes is called '{task}'.{nearest(task, known)} {has}")
        return self.labels(task or known[0])

    def labels(self, task: str) -> Labels:
        """The labels of these rows."""
        return self.targets[task].of(self.numbers)

    def error(self, setting: str, what: str) -> UserError:
        """What is wrong with one setting of the plugin that looks."""
        return UserError([self.spec.fault(f"{self.place}.{setting}", what)])
