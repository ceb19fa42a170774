"""A column in its kind's one form.

| kind      | one form, as Arrow                                   |
|-----------|------------------------------------------------------|
| number    | int8-64, uint8-64, float32, float64 (decimals become float64) |
| boolean   | bool                                                 |
| timestamp | timestamp or date32                                  |
| category  | dictionary<int32, string>, one dictionary for all chunks |
| text      | large_string, valid UTF-8 |
| list      | large_list, or large_list_view, of numbers, booleans or valid large_string |
| image     | large_binary, files as they are, or fixed-size lists of uint8, pixels |
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polygraft.data.arrow_types import computable, is_binary, is_list, is_list_view, is_text, kind_of
from polygraft.data.dictionary import dictionary_of
from polygraft.data.spec import Kind
from polygraft.data.texts import Texts


class UnfitError(ValueError):
    """Values that do not fit the kind; the text says which, and where."""


def conform(column: pa.ChunkedArray, kind: Kind) -> pa.ChunkedArray:
    """The column in its kind's one form. Raises UnfitError."""
    if pa.types.is_dictionary(column.type) and kind != "category":
        column = column.cast(column.type.value_type)
    return _CONFORM[kind](column)


def single(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of single values, no dictionary, and texts without the spaces around them. Raises UnfitError for bytes
    that are no UTF-8.
    """
    column = computable(column)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return _trimmed(column) if is_text(column.type) else column


def as_number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Any column of numbers, booleans, or texts that read as numbers."""
    column = single(column)
    type_ = column.type
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        return column
    if pa.types.is_duration(type_):
        return column.cast(pa.int64())
    if pa.types.is_boolean(type_):
        return column.cast(pa.uint8())
    if pa.types.is_decimal(type_) or is_text(type_) or pa.types.is_null(type_):
        try:
            return column.cast(pa.float64())
        except pa.ArrowException:
            raise _unfit(column, pc.match_substring_regex(column, _NUMBER), "no number") from None
    raise UnfitError(f"values of type {type_} are no numbers.")


def as_floats(column: pa.ChunkedArray) -> np.ndarray:
    """float64 [rows] of `as_number`, missing as NaN; integers beyond 2**53 are rounded. Raises UnfitError."""
    return np.asarray(as_number(column).cast(pa.float64(), safe=False).fill_null(np.nan))


_NUMBER = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[iI][nN][fF]([iI][nN][iI][tT][yY])?|[nN][aA][nN])$"
_TRUE, _FALSE = ["true", "t", "yes", "y", "1"], ["false", "f", "no", "n", "0"]


def as_boolean(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Booleans, the numbers 0 and 1, or texts such as true/false and yes/no."""
    column = single(column)
    type_ = column.type
    if pa.types.is_boolean(type_):
        return column
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        # Scalars of the column's own type: else Arrow squeezes uint64 into int64.
        zero, one = (pc.equal(column, pa.scalar(number, type_)) for number in (0, 1))
        if pc.all(fits := pc.or_(zero, one), skip_nulls=True).as_py() is False:
            raise _unfit(column, fits, "neither 0 nor 1")
        return one
    if is_text(type_):
        low = pc.utf8_lower(column)
        true, false = (pc.is_in(low, pa.array(words, type_)) for words in (_TRUE, _FALSE))
        fits = pc.or_(pc.or_(true, false), pc.is_null(column))
        if pc.all(fits).as_py() is False:
            raise _unfit(column, fits, "no boolean (true/false, yes/no, 1/0)")
        return pc.if_else(pc.is_valid(column), true, None)
    if pa.types.is_null(type_):
        return column.cast(pa.bool_())
    raise UnfitError(f"values of type {type_} are no booleans.")


def as_timestamp(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Timestamps, dates, or texts in ISO 8601."""
    column = single(column)
    type_ = column.type
    if pa.types.is_timestamp(type_) or pa.types.is_date32(type_):
        return column
    if pa.types.is_date64(type_) or pa.types.is_null(type_):
        return column.cast(pa.timestamp("ms"))
    if is_text(type_):
        try:
            return column.cast(pa.timestamp("us"))
        except pa.ArrowException:
            return _parsed(column)
    raise UnfitError(f"values of type {type_} are no timestamps.")


def _parsed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pandas as pd

    texts = column.to_pandas()
    times = pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
    fits = pa.array(np.asarray(times.notna() | texts.isna()))
    if not pc.all(fits).as_py():
        raise _unfit(column, fits, "no timestamp (2013-01-31 or 2013-01-31T23:59:59)")
    return pa.chunked_array([pa.Array.from_pandas(times.dt.tz_localize(None))]).cast(pa.timestamp("us"))


_MANY = 10_000  # rows: fewer are numbered before our kernel is even loaded


def as_category(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Anything with levels, as texts under one dictionary; NaN is null."""
    column = computable(column)
    type_ = column.type
    if pa.types.is_dictionary(type_) and (_folds(type_.value_type) or any(map(_repeats, column.chunks))):
        column = computable(column.cast(type_.value_type))
        type_ = column.type
    if pa.types.is_floating(type_):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, type_), column)
    if pa.types.is_null(type_):  # a dictionary of nulls is nothing that Arrow can unify
        column = column.cast(pa.string())
    inner = type_.value_type if pa.types.is_dictionary(type_) else type_
    unfit = (pa.types.is_nested, is_binary, pa.types.is_binary_view, pa.types.is_interval)
    if any(test(inner) for test in unfit):
        raise UnfitError(f"values of type {type_} are no categories.")
    ours = is_text(type_) and len(column) >= _MANY
    try:
        indices, levels = dictionary_of(column) if ours else _dictionary(column)
        levels = levels.cast(pa.string())
    except pa.ArrowNotImplementedError:
        raise UnfitError(f"values of type {type_} are no categories.") from None
    _check_text(levels)
    chunks = [pa.DictionaryArray.from_arrays(numbers, levels, safe=not ours) for numbers in indices]
    return pa.chunked_array(chunks, pa.dictionary(pa.int32(), pa.string()))


def _dictionary(column: pa.ChunkedArray) -> tuple[list[pa.Array], pa.Array]:
    """As `dictionary_of`, by Arrow, of any values."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    chunks = column.unify_dictionaries().chunks
    levels = chunks[0].dictionary if chunks else pa.array([], pa.string())
    return [chunk.indices.cast(pa.int32()) for chunk in chunks], levels


def _folds(type_: pa.DataType) -> bool:
    """Whether values of a dictionary may come to the same level, or to none, once they are looked at."""
    return bool(pa.types.is_floating(type_) or pa.types.is_string_view(type_))


def _repeats(chunk: pa.DictionaryArray) -> bool:
    """Whether the dictionary holds a null, or a value twice: Arrow allows both."""
    values = chunk.dictionary
    return bool(values.null_count) or (not pa.types.is_nested(values.type) and len(values.unique()) < len(values))


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts, spaces and all."""
    if not (is_text(column.type) or pa.types.is_null(column.type)):
        raise UnfitError(f"values of type {column.type} are no texts.")
    column = column.cast(pa.large_string())
    row = 0
    for chunk in column.chunks:
        if (bad := _not_utf8(chunk)) is not None:
            raise UnfitError(f"the text in row {row + bad + 1:,} is not valid UTF-8.")
        row += len(chunk)
    return column


def as_list(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lists of numbers, booleans or texts, of one length or of many."""
    type_ = column.type
    if pa.types.is_null(type_):
        return column.cast(pa.large_list(pa.float64()))
    items = kind_of(type_.value_type) if is_list(type_) else None
    if is_list(type_) and pa.types.is_null(type_.value_type):
        items = "number"
    if items not in ("number", "boolean", "category"):
        raise UnfitError(f"values of type {type_} are no lists of numbers or texts.")
    plain = {"number": pa.float64(), "boolean": pa.bool_(), "category": pa.large_string()}[items]
    if items == "number" and pa.types.is_integer(type_.value_type):
        plain = type_.value_type  # as levels they are written without a point
    if is_list_view(type_):
        column = pa.chunked_array([_stretches(chunk, plain) for chunk in column.chunks], pa.large_list_view(plain))
    else:
        column = column.cast(pa.large_list(plain))
    if items == "category" and any(_not_utf8(chunk.values) is not None for chunk in column.chunks):
        raise UnfitError("a text in one of its lists is not valid UTF-8.")
    return column


def _stretches(views: pa.Array, items: pa.DataType) -> pa.Array:
    """The same stretches of items of another type: no list is written out. A missing one holds nothing."""
    valid = np.asarray(views.is_valid())
    starts = np.where(valid, np.asarray(views.offsets, np.int64), 0)
    lengths = np.where(valid, np.asarray(views.sizes, np.int64), 0)
    mask = None if valid.all() else pa.array(~valid)
    return pa.LargeListViewArray.from_arrays(pa.array(starts), pa.array(lengths), views.values.cast(items), mask=mask)


def as_image(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Encoded images (PNG, JPEG ...) as bytes, or the pixels of each as a list of whole numbers from 0 to 255, all as long."""
    type_ = column.type
    if is_binary(type_) or pa.types.is_null(type_):
        return column.cast(pa.large_binary())
    if not is_list(type_) or not (pa.types.is_integer(type_.value_type) or pa.types.is_floating(type_.value_type)):
        raise UnfitError(f"values of type {type_} are no images: these are bytes (PNG, JPEG ...) or lists of pixels.")
    lengths = pc.unique(pc.drop_null(pc.list_value_length(column))).to_pylist()
    if len(lengths) > 1:
        some = ", ".join(f"{length:,}" for length in sorted(lengths)[:3])
        raise UnfitError(f"its lists of pixels differ in length: {some} ...")
    try:
        return column.cast(pa.list_(pa.uint8(), lengths[0] if lengths else 1))
    except pa.ArrowInvalid as error:
        raise UnfitError(f"pixels are whole numbers from 0 to 255: {str(error).partition(chr(10))[0]}") from None


def _not_utf8(texts: pa.Array) -> int | None:
    """The first text that is not valid UTF-8; None when all are."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        for i, each in enumerate(texts.cast(pa.large_binary())):
            try:
                (each.as_py() or b"").decode()
            except UnicodeDecodeError:
                return i
        raise
    return None


_CONFORM = {
    "number": as_number,
    "boolean": as_boolean,
    "timestamp": as_timestamp,
    "category": as_category,
    "text": as_text,
    "list": as_list,
    "image": as_image,
}


def _trimmed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts without the spaces around them; an empty one is null."""
    _check_text(column)
    trimmed = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, trimmed.type), trimmed)


def _check_text(texts: pa.Array | pa.ChunkedArray) -> None:
    """Raise UnfitError for bytes that are no UTF-8: Arrow takes any for a text."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid as error:
        raise UnfitError("it holds bytes that are no UTF-8 text.") from error


def _unfit(column: pa.ChunkedArray, fits: pa.ChunkedArray | pa.Array, what: str) -> UnfitError:
    """The first value that does not fit, its row (from 1), and how many there are."""
    misfits = np.flatnonzero(~np.asarray(pc.fill_null(pc.or_kleene(fits, pc.is_null(column)), True)))
    if not len(misfits):
        return UnfitError(f"its values are {what}.")
    value = column[int(misfits[0])].as_py()
    others = f" ({len(misfits):,} values of {len(column):,} are)" if len(misfits) > 1 else ""
    return UnfitError(f"{value!r} in row {misfits[0] + 1:,} is {what}{others}.")


def levels_of(column: pa.ChunkedArray) -> Texts:
    """The texts of a conformed category column's dictionary, in its order."""
    return Texts(column.chunk(0).dictionary if column.num_chunks else pa.array([], pa.string()))
