"""Labels as arrays: classes by their place, numbers, yes and no; and what a part of the split lacks of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polygraft.data.arrow_types import computable
from polygraft.data.columns import as_boolean, as_category, as_floats
from polygraft.data.spec import TargetSpec


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


def codes_of(column: pa.ChunkedArray, levels: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(int64 [rows], each row's place in `levels`, 0 where it is none of them; bool [rows], whether it is one)."""
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
