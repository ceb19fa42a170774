"""Whatever table Arrow can hold is prepared as a plain twin says, or refused with its column and the mend; nothing crashes."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pyarrow import ipc

import any_tables
from polygraft.core.catalogue import catalogue
from polygraft.core.errors import UserError
from polygraft.data.feature import Feature
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.ragged import Ragged
from polygraft.data.spec import KINDS, SplitSpec, TableSpec, TargetSpec

Y, Z = TargetSpec("y", ("y",), "category"), TargetSpec("z", ("z",), "number")
SPEC = TableSpec("t", ("t.arrow",), split=SplitSpec(validation=0.2, test=0.2), targets=(Y,))
ENCODERS = [(kind, name) for kind in KINDS for name in catalogue("data/encoders").names(takes=kind)]
USES: dict[str, dict[str, Any]] = {
    "inferred": {},
    **{kind: {"columns": {"c": kind}} for kind in KINDS},
    **{f"{name} of a {kind}": {"columns": {"c": kind}, "encode": {"c": (name, {})}} for kind, name in ENCODERS},
    "levels": {
        "columns": {"c": "category"},
        "clean": (("levels", {"case": True}), ("missing", {"levels": "most_frequent"})),
    },
    **{f"target {kind}": {"targets": (TargetSpec("c", ("c",), kind), Z)} for kind in ("category", "number")},
    "target labels": {"targets": (TargetSpec("c", ("c", "y"), "labels"), Z)},
    "weight": {"weight": "c"},
    **{f"split {by}": {"split": SplitSpec(by, "c", 0.2, 0.2)} for by in ("group", "time")},
    "split column": {"split": SplitSpec("column", "c", 0.2, "a")},
}


def prepared(table: pa.Table, spec: TableSpec, folder: Path) -> Prepared | list[str]:
    """The table as it is prepared from a file, chunk by chunk as it stands; or the faults' words."""
    with ipc.new_stream(str(folder / "t.arrow"), table.schema) as writer:
        writer.write_table(table)
    try:
        made = prepare(replace(spec, folder=folder), folder / "cache")
    except UserError as error:
        return [each.what for each in error.faults]
    assert np.isfinite(made.inputs["numbers"]).all()
    for name, encoded in made.preprocessor.encode(table).items():
        kept = made.inputs[name]
        if isinstance(encoded, Ragged) and isinstance(kept, Ragged):
            assert_array_equal(encoded.starts, kept.starts)
            assert_array_equal(encoded.lengths, kept.lengths)
            assert_array_equal(encoded.values, kept.values)
        else:
            assert_array_equal(encoded, kept)
    return made


@pytest.mark.parametrize("place", range(len(any_tables.NUMBERS + any_tables.OTHERS)))
def test_a_column_of_any_type_in_any_use_is_prepared_or_refused_by_its_name(place: int, tmp_path: Path) -> None:
    type_, pool = (any_tables.NUMBERS + any_tables.OTHERS)[place]
    chance = np.random.default_rng(place)
    chunks = [
        pa.array([pool[i] for i in chance.integers(0, len(pool), 19)], type_).slice(3, rows) for rows in (0, 16, 16)
    ]
    table = pa.table(
        {
            "c": pa.chunked_array(chunks, type_),
            "x": np.arange(32.0),
            "y": np.arange(32) % 2,
            "z": chance.normal(size=32),
        }
    )
    for use, changes in USES.items():
        found = prepared(table, replace(SPEC, **changes), tmp_path)
        for words in found if isinstance(found, list) else ():
            assert "'c'" in words or ".c" in words or "split" in words, f"{use}: {words}"


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data(), rows=st.sampled_from([0, 1, 40, 40, 40, 60]))
def test_any_table_is_prepared_as_its_twin_says_or_refused(data: st.DataObject, rows: int) -> None:
    table = data.draw(any_tables.tables(rows))
    kinds = {name: data.draw(st.sampled_from([None, None, None, *KINDS])) for name in table.column_names[:-1]}
    spec = replace(SPEC, columns={name: kind for name, kind in kinds.items() if kind})
    with tempfile.TemporaryDirectory() as folder:
        made = prepared(table, spec, Path(folder))
        while isinstance(made, list):  # do what is said, as long as anything is left
            told = {name for name in table.column_names[:-1] if any(f"'{name}'" in words for words in made)}
            if rows < 2 or len(told | {*spec.drop}) == table.num_columns - 1:
                return
            assert told - {*spec.drop}, made
            spec = replace(spec, drop=(*spec.drop, *told))
            made = prepared(table, spec, Path(folder))
        chosen = np.isin(np.arange(rows), made.splits["train"])
        numbers, categories = iter(made.inputs["numbers"].T), iter(made.inputs["categories"].T)
        for feature in made.preprocessor.features:
            values = [_plain(value) for value in table.column(feature.column).to_pylist()]
            if feature.input is not None:
                continue
            if feature.category is not None:
                _category_is_its_twin(next(categories), values, chosen)
            else:
                _numbers_are_their_twins(feature, [next(numbers) for _ in feature.numbers], values, chosen)


def _plain(value: Any) -> Any:
    return None if value is None or value != value else value


def _category_is_its_twin(codes: np.ndarray, values: list[Any], chosen: np.ndarray) -> None:
    keys = ["null" if value is None else repr(value) for value in values]
    seen = {key for key, training in zip(keys, chosen, strict=True) if training}
    for code, key in zip(codes, keys, strict=True):
        assert (code > 0) == (key in seen)
    assert len({(code, key) for code, key in zip(codes, keys, strict=True) if key in seen}) == len(seen)


def _numbers_are_their_twins(
    feature: Feature, encoded: list[np.ndarray], values: list[Any], chosen: np.ndarray
) -> None:
    if feature.kind == "timestamp":
        missing = np.array([value is None for value in values])
        sizes = sum(each.astype(np.float64) ** 2 for each in encoded[-4:])
        assert_allclose(np.where(missing, 2, sizes), 2, rtol=1e-6)  # two circles
        return
    number = _truth if feature.kind == "boolean" else _number
    floats = np.array([np.nan if value is None else number(value) for value in values], np.float64)
    (plan,) = feature.numbers.values()
    known = floats[chosen & ~np.isnan(floats)]
    fill = 0.5 if feature.kind == "boolean" else np.median(known) if len(known) else 0.0
    filled = np.where(np.isnan(floats), fill, floats)
    if feature.kind == "number":
        assert_allclose(plan.fill, fill, rtol=1e-12)
        assert_allclose(plan.mean, filled[chosen].mean(), rtol=1e-9, atol=1e-12 * np.abs(filled[chosen]).max())
        deviation = filled[chosen].std()
        assert_allclose(plan.scale, deviation if deviation > 1e-12 * abs(plan.mean) else 1.0, rtol=1e-6)
    assert_array_equal(encoded[0], ((filled - plan.mean) / plan.scale).astype(np.float32))


def _number(value: Any) -> float:
    if isinstance(value, str):
        return float(value.strip()) if value.strip() else np.nan
    if isinstance(value, bool | int | float | Decimal | np.floating):
        return float(value)
    return float(value.value)  # a duration in nanoseconds


def _truth(value: Any) -> float:
    text = str(value).strip().lower()
    return np.nan if not text else float(text in ("true", "1", "1.0", "t", "yes", "y"))


def _with(values: pa.Array, **columns: Any) -> pa.Table:
    rows = len(values)
    return pa.table({"c": values, "x": np.arange(float(rows)), "y": np.arange(rows) % 2} | columns)


def _not_utf8(rows: int) -> pa.Array:
    """Texts of two bytes each, every third of which is none."""
    offsets = np.arange(0, 2 * rows + 1, 2, dtype=np.int32)
    text = b"".join(b"\xff\xfe" if row % 3 == 0 else b"ab" for row in range(rows))
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(text))


@pytest.mark.parametrize("kind", [None, "number", "category", "boolean", "timestamp"])
def test_bytes_that_are_no_text_are_refused_by_column(kind: str | None, tmp_path: Path) -> None:
    told = prepared(_with(_not_utf8(30)), replace(SPEC, columns={"c": kind} if kind else {}), tmp_path)
    assert isinstance(told, list)
    assert "'c'" in told[0]
    assert "UTF-8" in told[0]


def test_values_whose_squares_overflow_are_refused_and_pulled_in_by_a_cleaning_step(tmp_path: Path) -> None:
    table = _with(pa.array([1e300 if row == 7 else float(row) for row in range(200)]))
    told = prepared(table, SPEC, tmp_path)
    assert told == [
        "data.t.columns.c: the values of 'c' are too large: their squares are more than 64 bits hold. "
        "Pull them in, clean: [{name: outliers}], or drop the column: drop: [c]."
    ] or (isinstance(told, list) and "32 bits" in told[0])  # the row may be no training row
    assert isinstance(prepared(table, replace(SPEC, clean=(("outliers", {}),)), tmp_path), Prepared)


def test_levels_that_a_dictionary_holds_twice_are_one(tmp_path: Path) -> None:
    indices = pa.array([0, 1, 2, 0, 1, 2] * 5, pa.int32())
    twice = pa.DictionaryArray.from_arrays(indices, pa.array(["a", "b", "a"]))
    once = pa.array(["a", "b", "a", "a", "b", "a"] * 5)
    made = [prepared(_with(column), SPEC, tmp_path) for column in (twice, once)]
    assert_array_equal(*[each.inputs["categories"] for each in made if isinstance(each, Prepared)])


def test_nan_in_a_dictionary_is_missing_and_no_level(tmp_path: Path) -> None:
    indices = pa.array([0, 1, 2] * 10, pa.int32())
    levels = pa.DictionaryArray.from_arrays(indices, pa.array([1.0, float("nan"), 2.0]))
    made = prepared(_with(levels), SPEC, tmp_path)
    assert isinstance(made, Prepared)
    assert made.schema["c"]["levels"] == ["1", "2"]


def test_a_split_by_time_takes_texts_as_moments_and_refuses_what_has_no_order(tmp_path: Path) -> None:
    days = pa.array([f" 2013-{1 + row // 28:02}-{1 + row % 28:02}" for row in range(60)])
    by_time = replace(SPEC, split=SplitSpec("time", "c", 0.2, 0.2))
    made = prepared(_with(days), replace(by_time, columns={"c": "timestamp"}), tmp_path)
    assert isinstance(made, Prepared)
    assert_array_equal(made.splits["test"], np.arange(48, 60))
    numbered = prepared(
        _with(pa.array([f"week {row}" for row in range(60)])), replace(by_time, columns={"c": "category"}), tmp_path
    )
    assert isinstance(numbered, list)
    assert "is no timestamp" in numbered[0]
