"""Profile: the little that must be known of a column before it can be a target."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from polygraft.data.inference import infer_column


@dataclass(frozen=True)
class Profile:
    """levels: distinct known values; missing: rows without one; number: whether the values are numbers."""

    levels: int
    missing: int
    number: bool


def profile(column: pa.ChunkedArray) -> Profile:
    """What a column looks like as a target."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    if column.null_count == len(column):
        return Profile(0, len(column), infer_column(column).kind == "number")
    levels = int(pc.count_distinct(column, mode="only_valid").as_py())
    return Profile(levels, column.null_count, infer_column(column).kind == "number")
