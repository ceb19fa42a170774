"""Row steps applied: which training rows are dropped, reweighed or lose a label, before any column is fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polygraft.core.errors import UserError
from polygraft.data.cache import read_json
from polygraft.data.checks import Checked
from polygraft.data.cleaning import registry as cleaning
from polygraft.data.cleaning.base import RowChange, RowStep
from polygraft.data.spec import TableSpec
from polygraft.data.splits import DROPPED, TRAINING
from polygraft.data.targets import split_faults
from polygraft.data.training_rows import TrainingRows


@dataclass(frozen=True)
class Changed:
    """What a row step came to, in training rows. reweighed: whose weight it changed and did not make 0.

    unlabelled: by task, the labels that it took away.
    """

    step: str
    dropped: int = 0
    reweighed: int = 0
    unlabelled: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """`duplicates dropped 2,145`; a step that found nothing says so."""
        said = [
            f"{verb} {count:,}" for verb, count in (("dropped", self.dropped), ("reweighed", self.reweighed)) if count
        ]
        said += [f"unlabelled {count:,} of {task}" for task, count in self.unlabelled.items() if count]
        return f"{self.step} {' and '.join(said) or 'changed nothing'}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def changes(file: Path) -> tuple[Changed, ...]:
    """What a prepared table's row steps did; nothing where there is no such file, for a stream has no row steps."""
    return tuple(Changed(**each) for each in read_json(file)) if file.exists() else ()


def change_rows(spec: TableSpec, table: pa.Table, checked: Checked) -> tuple[Changed, ...]:
    """Apply the row steps of `clean:` to `checked`, whose parts, weights and labels change, and tell what each did.

    Raises UserError when what is left cannot be trained on.
    """
    told = []
    for i, (name, settings) in enumerate(spec.clean):
        step = cleaning.make(name, settings, beside=spec.plugins)
        if isinstance(step, RowStep):
            rows = training_rows(spec, table, checked, place=f"clean.{i}")
            change = step.change(rows)
            told.append(_apply(name, change, rows, checked))
            _usable(rows, checked)
    return tuple(told)


def training_rows(spec: TableSpec, table: pa.Table, checked: Checked, *, place: str) -> TrainingRows:
    """The rows that are still to be trained on."""
    numbers = np.flatnonzero(checked.parts == TRAINING)
    return TrainingRows(spec, table, checked.columns, checked.labels, numbers, checked.weights[numbers], place)


def _apply(name: str, change: RowChange, rows: TrainingRows, checked: Checked) -> Changed:
    factors = np.asarray(change.factors, np.float32)
    if factors.shape != (len(rows),) or not np.isfinite(factors).all() or (factors < 0).any():
        raise rows.error("name", f"'{name}' gave no finite factor, 0 or more, for each of {len(rows):,} rows.")
    gone = factors == 0
    checked.parts[rows.numbers[gone]] = DROPPED
    checked.weights[rows.numbers] *= factors
    unlabelled = {}
    for task, mask in change.unlabelled.items():
        labels = checked.labels[task]
        present = labels.present.copy()
        lost = rows.numbers[mask & ~gone]
        unlabelled[task] = int(present[lost].sum())
        present[lost] = False
        checked.labels[task] = replace(labels, present=present)
    return Changed(name, int(gone.sum()), int(((factors != 1) & ~gone).sum()), unlabelled)


def _usable(rows: TrainingRows, checked: Checked) -> None:
    """Raise UserError unless every task has all of its classes, and some weight, in what is left."""
    left = np.flatnonzero(checked.parts == TRAINING)
    mend = "Take the step out, or make it gentler."
    if not (checked.weights[left] > 0).any():
        raise rows.error("name", f"it leaves no training row with a weight above 0. {mend}")
    faults = [
        rows.spec.fault(f"{rows.place}.name", f"after this step {what.rstrip('.')} for task '{task}'. {mend}")
        for task, labels in checked.labels.items()
        for what in split_faults(labels, {"training": left})
    ]
    if faults:
        raise UserError(faults)
