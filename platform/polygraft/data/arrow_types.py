"""What Arrow's types are to this room: the kind of a column that has one, and the form in which Arrow can compute with it."""

from __future__ import annotations

import pyarrow as pa

from polygraft.data.spec import Kind


def kind_of(type_: pa.DataType) -> Kind | None:
    """The kind of a column of this type; None where it can be no feature."""
    types = pa.types
    if types.is_dictionary(type_):
        return kind_of(type_.value_type) and "category"
    if types.is_boolean(type_):
        return "boolean"
    if types.is_timestamp(type_) or types.is_date(type_):
        return "timestamp"
    if types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_) or types.is_duration(type_):
        return "number"
    if types.is_string(type_) or types.is_large_string(type_) or types.is_string_view(type_):
        return "category"
    if is_list(type_) and kind_of(type_.value_type) in ("number", "boolean", "category"):
        return "list"
    if is_binary(type_):
        return "image"
    return None


def computable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same values in a type that Arrow's functions take: half floats wider, views of texts as texts."""
    if pa.types.is_float16(column.type):
        return column.cast(pa.float32())
    if pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    return column


def ticks(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A duration as its whole number, which Arrow can order."""
    return column.cast(pa.int64()) if pa.types.is_duration(column.type) else column


def is_text(type_: pa.DataType) -> bool:
    """Whether its values are texts."""
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))


def is_binary(type_: pa.DataType) -> bool:
    """Whether its values are bytes."""
    types = pa.types
    return bool(types.is_binary(type_) or types.is_large_binary(type_) or types.is_fixed_size_binary(type_))


def is_list(type_: pa.DataType) -> bool:
    """Whether its values are lists."""
    types = pa.types
    whole = types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_)
    return bool(whole or is_list_view(type_))


def is_list_view(type_: pa.DataType) -> bool:
    """Whether its values are stretches of one array, which may overlap."""
    return bool(pa.types.is_list_view(type_) or pa.types.is_large_list_view(type_))
