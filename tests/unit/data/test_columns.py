"""Kinds are inferred as a person would, and a column takes its kind's one form or says why not."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from polygraft.data.columns import UnfitError, conform
from polygraft.data.inference import infer
from polygraft.data.spec import Kind


def test_kinds_are_inferred_and_the_useless_is_marked() -> None:
    rows = 100
    table = pa.table(
        {
            "count": pa.array(range(rows), pa.int8()),
            "few": pa.array([i % 3 for i in range(rows)]),
            "price": pa.array([Decimal("1.5")] * 99 + [None]),
            "flag": pa.array([i % 2 == 0 for i in range(rows)]),
            "day": pa.array([dt.date(2013, 1, 1 + i % 28) for i in range(rows)]),
            "moment": pa.array([dt.datetime(2013, 1, 1, i % 24) for i in range(rows)]),
            "carrier": pa.array([f"c{i % 40}" for i in range(rows)]).dictionary_encode(),
            "id": pa.array([f"id{i}" for i in range(rows)]),
            "nothing": pa.nulls(rows),
            "list": pa.array([[1]] * rows),
            "lists": pa.array([[[1]]] * rows),
        }
    )
    found = infer(table)
    kinds = {name: each.kind for name, each in found.items()}
    assert kinds == {
        "count": "number",
        "few": "number",
        "price": "number",
        "flag": "boolean",
        "day": "timestamp",
        "moment": "timestamp",
        "carrier": "category",
        "id": "category",
        "nothing": None,
        "list": "list",
        "lists": None,
    }
    assert {name: each.droppable for name, each in found.items() if each.droppable} == {
        "price": "every value is the same",
        "id": "an identifier or a free text: 100 levels in 100 values",
        "nothing": "every value is null",
        "lists": "values of type list<item: list<item: int64>> are no feature",
    }
    assert found["carrier"].why == "40 levels"


@pytest.mark.parametrize(
    ("kind", "values", "form"),
    [
        ("number", ["1", " 2.5 ", "", "-1e3", None, "nan"], [1.0, 2.5, None, -1000.0, None, np.nan]),
        ("number", [True, None, False], [1, None, 0]),
        ("number", [Decimal("1.25"), None], [1.25, None]),
        ("boolean", ["yes", "No", "TRUE", "0", None, " f "], [True, False, True, False, None, False]),
        ("boolean", [1, 0, None], [True, False, None]),
        ("boolean", [1.0, 0.0, None], [True, False, None]),
        ("timestamp", ["2013-01-31", "2013-01-31 12:00:00", None], [dt.datetime(2013, 1, 31), dt.datetime(2013, 1, 31, 12), None]),
        ("timestamp", ["2013-01-31T01:00:00+01:00"], [dt.datetime(2013, 1, 31)]),
        ("category", [3, None, 1, 3], ["3", None, "1", "3"]),
        ("category", [True, False, None], ["true", "false", None]),
        ("category", [1.5, np.nan], ["1.5", None]),
        ("category", [dt.date(2013, 1, 31)], ["2013-01-31"]),
        ("category", ["b", "a", None, "b"], ["b", "a", None, "b"]),
    ],
)  # fmt: skip
def test_a_column_takes_its_kinds_form(kind: Kind, values: list[object], form: list[object]) -> None:
    whole = pa.chunked_array([pa.array(values)])
    chunked = pa.chunked_array([pa.array(values).slice(0, 1), pa.array(values).slice(1), pa.array(values).slice(0, 0)])
    for column in (
        whole,
        chunked,
        *([pa.chunked_array([pa.array(values).dictionary_encode()])] if isinstance(values[0], str) else []),
    ):
        found = conform(column, kind).to_pylist()
        assert str(found) == str(form)


def test_chunks_with_dictionaries_of_their_own_share_one_afterwards() -> None:
    chunks = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", "c", None]).dictionary_encode()]
    nulls_inside = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int32()), pa.array(["d", None]))
    column = conform(pa.chunked_array([*chunks, nulls_inside]), "category")
    assert column.to_pylist() == ["a", "b", "b", "c", None, "d", None, "d"]
    assert len({tuple(chunk.dictionary.to_pylist()) for chunk in column.chunks}) == 1
    assert None not in column.chunk(0).dictionary.to_pylist()


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("number", ["1", "x", "y"], "'x' in row 2 is no number (2 values of 3 are)."),
        ("boolean", [0, 2], "2 in row 2 is neither 0 nor 1."),
        ("timestamp", ["2013-13-01"], "'2013-13-01' in row 1 is no timestamp (2013-01-31 or 2013-01-31T23:59:59)."),
        ("timestamp", [1], "values of type int64 are no timestamps."),
        ("number", [dt.date(2013, 1, 1)], "values of type date32[day] are no numbers."),
        ("category", [[1]], "values of type list<item: int64> are no categories."),
    ],
)
def test_what_does_not_fit_is_said(kind: Kind, values: list[object], words: str) -> None:
    with pytest.raises(UnfitError) as error:
        conform(pa.chunked_array([pa.array(values)]), kind)
    assert str(error.value) == words
