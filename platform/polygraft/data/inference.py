"""What a column looks like: its kind, and whether it had better be no feature. What `polygraft init` writes down."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from polygraft.data.arrow_types import computable, kind_of, ticks
from polygraft.data.spec import Kind

IDENTIFIER_ROWS = 50  # fewer known values say nothing about whether a text is an identifier
IDENTIFIER_SHARE = 0.5  # of the known values, how many must be distinct


@dataclass(frozen=True)
class Inferred:
    """What a column looks like. droppable: why it is no good as a feature; empty when it is one."""

    kind: Kind | None
    why: str
    droppable: str = ""


def infer(table: pa.Table) -> dict[str, Inferred]:
    """Each column's kind with the reason, and whether it had better be dropped: what `polygraft init` writes down."""
    return {name: infer_column(table.column(name)) for name in table.column_names}


def infer_column(column: pa.ChunkedArray) -> Inferred:
    """The kind of one column. Integers stay numbers, however few levels they have; texts are categories."""
    type_ = column.type
    column = computable(column)
    known = len(column) - column.null_count
    if known == 0:
        return Inferred(kind_of(type_), f"{type_}, all null", "every value is null")
    kind = kind_of(type_)
    if kind is None:
        return Inferred(None, f"{type_}", f"values of type {type_} are no feature")
    if kind == "category":
        distinct = _distinct(column)
        if known >= IDENTIFIER_ROWS and distinct > IDENTIFIER_SHARE * known:
            return Inferred(
                kind, f"{distinct:,} levels", f"an identifier or a free text: {distinct:,} levels in {known:,} values"
            )
        return Inferred(kind, f"{distinct:,} levels")
    if (
        kind not in ("timestamp", "list", "image")
        and pc.min(ordered := ticks(column)).as_py() == pc.max(ordered).as_py()
    ):
        return Inferred(kind, f"{type_}, constant", "every value is the same")
    return Inferred(kind, f"{type_}")


def _distinct(column: pa.ChunkedArray) -> int:
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
        return len(column.chunk(0).dictionary) if column.num_chunks else 0
    return int(pc.count_distinct(column).as_py())
