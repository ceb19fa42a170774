"""Any Arrow table: columns of every type there is, with nulls, in any chunks, each a slice of something longer."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

UTC = dt.UTC
DAY, MOMENT = dt.date(2013, 1, 31), dt.datetime(2013, 1, 31, 23, 59, 59)
TEXTS = ["a", "b", " a ", "", "?", "nan", "1", "1.0", "-inf", "é", "\x00", "true", "2013-01-31", "x" * 70_000, None]
FLOATS = [0.0, -0.0, 1.5, 1e300, -1e300, 5e-324, float("nan"), float("inf"), 3e38, 1e39, None]
MOMENTS = [MOMENT, dt.datetime(1970, 1, 1), dt.datetime(1677, 9, 22), dt.datetime(2262, 4, 11), None]


def _integers(type_: pa.DataType) -> list[int | None]:
    info = np.iinfo(type_.to_pandas_dtype())
    return [info.min, info.max, 0, 1, 2, None]


def _zoned(unit: str, zone: str) -> tuple[pa.DataType, list[Any]]:
    return pa.timestamp(unit, zone), [each and each.replace(tzinfo=UTC) for each in MOMENTS]


INTEGERS = [*(f"int{bits}" for bits in (8, 16, 32, 64)), *(f"uint{bits}" for bits in (8, 16, 32, 64))]
NUMBERS: list[tuple[pa.DataType, list[Any]]] = [
    *((type_, _integers(type_)) for type_ in map(pa.type_for_alias, INTEGERS)),
    *((type_, FLOATS) for type_ in (pa.float32(), pa.float64())),
    (pa.float16(), [np.float16(0), np.float16(65504), np.float16(np.nan), np.float16(np.inf), None]),
    (pa.decimal128(38, 2), [Decimal("1.25"), Decimal("9" * 36 + ".99"), None]),
    (pa.decimal256(76, 0), [Decimal(1), Decimal("9" * 76), None]),
    (pa.duration("ns"), [0, 2**63 - 1, -(2**63) + 1, None]),
]
OTHERS: list[tuple[pa.DataType, list[Any]]] = [
    (pa.bool_(), [True, False, None]),
    *((type_, TEXTS) for type_ in (pa.string(), pa.large_string(), pa.string_view())),
    (pa.date32(), [DAY, dt.date(1, 1, 1), dt.date(9999, 12, 31), None]),
    (pa.date64(), [DAY, dt.date(1, 1, 1), dt.date(9999, 12, 31), None]),
    *((pa.timestamp(unit), MOMENTS) for unit in ("s", "ms", "us", "ns")),
    *(_zoned(unit, zone) for unit in ("s", "ns") for zone in ("UTC", "Europe/Berlin", "+05:30")),
    (pa.dictionary(pa.int8(), pa.string()), TEXTS),
    (pa.dictionary(pa.int32(), pa.int64()), [1, 2, None]),
    (pa.dictionary(pa.int16(), pa.float64()), [1.0, 2.5, None]),
    (pa.null(), [None]),
    (pa.time32("s"), [dt.time(1), None]),
    (pa.time64("ns"), [dt.time(1), None]),
    (pa.binary(), [b"a", b"\xff", None]),
    (pa.large_binary(), [b"a", None]),
    (pa.binary_view(), [b"a", None]),
    (pa.binary(2), [b"ab", b"\xff\xff", None]),
    (pa.list_(pa.int64()), [[1], [], None]),
    (pa.large_list(pa.string()), [["a"], None]),
    (pa.list_(pa.float32(), 2), [[1, 2], None]),
    (pa.struct({"x": pa.int64()}), [{"x": 1}, None]),
    (pa.map_(pa.string(), pa.int64()), [[("a", 1)], None]),
    (pa.month_day_nano_interval(), [pa.MonthDayNano([1, 2, 3]), None]),
    (pa.dictionary(pa.int32(), pa.binary()), [b"a", b"\xff", None]),
]


@st.composite
def columns(draw: st.DrawFn, rows: int, types: list[tuple[pa.DataType, list[Any]]]) -> pa.ChunkedArray:
    """A column of one of the types; some hold one value alone, some are all null."""
    type_, pool = draw(st.sampled_from(types))
    some = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=5))
    cuts = sorted(draw(st.lists(st.integers(0, rows), max_size=3)))  # equal cuts make chunks without rows
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    chunks = []
    for first, last in zip([0, *cuts], [*cuts, rows], strict=True):
        before, after = draw(st.integers(0, 9)), draw(st.integers(0, 3))
        places = chance.integers(0, len(some), before + last - first + after)
        chunks.append(pa.array([some[place] for place in places], type_).slice(before, last - first))
    return pa.chunked_array(chunks, type_)


@st.composite
def tables(draw: st.DrawFn, rows: int, target: bool = True) -> pa.Table:
    """A table of one to four such columns, `c0` and so on, beside a column `y` that can be learned from."""
    names = [f"c{number}" for number in range(draw(st.integers(1, 4)))]
    made = {name: draw(columns(rows, NUMBERS if draw(st.booleans()) else OTHERS)) for name in names}
    return pa.table(made | ({"y": pa.array([number % 2 for number in range(rows)], pa.int64())} if target else {}))
