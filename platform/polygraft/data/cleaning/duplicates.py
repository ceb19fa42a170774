"""Standard removal of exact duplicates, found by a hash and then compared (Elmagarmid et al. 2007, https://doi.org/10.1109/TKDE.2007.250581, section 1)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polygraft.data.cleaning.base import RowChange, RowStep
from polygraft.data.row_hash import row_hashes
from polygraft.data.training_rows import TrainingRows


class Duplicates(RowStep):
    """Drop each training row that repeats an earlier one.

    Rows are found by a hash of 64 bits and compared value by value, so that a collision drops nothing; missing equals
    missing. Where rows were collected twice by mistake the copies weigh twice; where each is a case of its own, keep them.
    key: the columns by which rows are one, such as an id, be they features or not; a row that lacks one of them is kept.
        Absent, all features and targets.
    """

    def __init__(self, key: list[str] | None = None) -> None:
        self.key = key

    def change(self, rows: TrainingRows) -> RowChange:
        targets = {name for labels in rows.targets.values() for name in labels.spec.columns}
        compared = self.key or [*rows.columns, *sorted(targets)]
        columns = {name: _plain(rows.raw(name, "key")) for name in compared}
        hashes = row_hashes(columns, len(rows))
        _, first, which = np.unique(hashes, return_index=True, return_inverse=True)
        later = np.flatnonzero(first[which] != np.arange(len(rows)))
        earlier = first[which][later]
        equal = np.ones(len(later), bool)
        for column in columns.values():
            equal &= _equal(column.take(pa.array(later)), column.take(pa.array(earlier)), missing=self.key is None)
        factors = np.ones(len(rows), np.float32)
        factors[later[equal]] = 0
        return RowChange(factors)


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """One array, not by dictionary."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _equal(one: pa.Array, other: pa.Array, *, missing: bool) -> np.ndarray:
    """Bool [rows]; missing: what two missing values are to each other, null and null or NaN and NaN."""
    if pa.types.is_nested(one.type):
        return np.array(
            [a == b and (missing or a is not None) for a, b in zip(one.to_pylist(), other.to_pylist(), strict=True)],
            bool,
        )
    found = np.asarray(pc.equal(one, other).fill_null(False).to_numpy(zero_copy_only=False), bool)
    gaps = [pc.is_null(each, nan_is_null=False) for each in (one, other)]
    both = np.asarray(pc.and_(*gaps).to_numpy(zero_copy_only=False), bool)
    if pa.types.is_floating(one.type):
        nans = [pc.is_nan(each).fill_null(False) for each in (one, other)]
        both |= np.asarray(pc.and_(*nans).to_numpy(zero_copy_only=False), bool)
    return found | both if missing else found
