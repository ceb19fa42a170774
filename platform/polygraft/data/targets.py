"""Targets: a task's labels out of a raw table, by the kind of its target; a missing label stays missing and is masked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from polygraft.core.errors import fault
from polygraft.data.columns import UnfitError
from polygraft.data.ragged import Ragged
from polygraft.data.spec import TargetSpec
from polygraft.data.target import Labels, Target
from polygraft.data.target_kinds import registry
from polygraft.data.target_kinds.base import TargetKind


def read_labels(spec: TargetSpec, table: pa.Table) -> Labels:
    """A task's labels. Raises UnfitError for values that do not fit its kind; the columns are there."""
    return _kind(spec.kind).read(spec, [table.column(column) for column in spec.columns])


def target_of(
    labels: Labels, training: np.ndarray, weights: np.ndarray, *, earlier: np.ndarray | None = None
) -> Target:
    """What the training rows (row numbers) say. weights: float32 [rows]; earlier: int64 [rows], the row of the same series a
    season earlier, -1 where there is none; None where rows have no order.
    """
    kind, rows = _kind(labels.spec.kind), training[labels.present[training]]
    target = kind.facts(labels, rows, weights[rows].astype(np.float64))
    return target if earlier is None else kind.in_series(target, labels, rows, earlier)


def labels_without(labels: Labels, gone: np.ndarray) -> Labels:
    """The labels less what is not to be known of them, bool [rows, columns of the target]."""
    return _kind(labels.spec.kind).without(labels, gone)


def encode_labels(target: Target, table: pa.Table, where: str = "") -> tuple[np.ndarray | Ragged, np.ndarray]:
    """(values, present) of a raw table's rows. A level that training did not know is not present.

    Raises UserError for a missing column and for values that do not fit.
    """
    missing = [column for column in target.columns if column not in table.column_names]
    if missing:
        raise fault(f"task '{target.task}' needs the column '{missing[0]}' for its labels, and there is none.", where)
    try:
        return _kind(target.kind).encode(target, [table.column(column) for column in target.columns])
    except UnfitError as error:
        raise fault(f"the target '{', '.join(target.columns)}' of task '{target.task}': {error}", where) from error


def split_faults(labels: Labels, splits: Mapping[str, np.ndarray]) -> list[str]:
    """What each part lacks: any label at all, or what its kind wants to see in it."""
    kind, faults = _kind(labels.spec.kind), []
    for part, rows in splits.items():
        known = rows[labels.present[rows]]
        if len(rows):
            faults += kind.lacking(labels, known, part) if len(known) else [f"no {part} row has a label."]
    return faults


def _kind(name: str) -> TargetKind:
    made = registry.make(name)
    assert isinstance(made, TargetKind)
    return made
