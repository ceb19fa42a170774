"""Kinds of targets beyond a class and a number: what is read is what a plain loop reads, in the cache, in batches and in raw rows again."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polygraft.core.errors import UserError
from polygraft.core.padding import padded, stacked
from polygraft.data.batches import TableStream, sequential
from polygraft.data.columns import UnfitError
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.spec import SplitSpec, TableSpec, TargetSpec
from polygraft.data.targets import encode_labels, read_labels, target_of

NUMBERS = TargetSpec("t", ("a", "b"), "numbers")
SPAN = TargetSpec("t", ("first", "last"), "span")
SEQUENCE = TargetSpec("t", ("tags",), "sequence")
BOXES = TargetSpec("t", ("boxes", "classes"), "boxes")

maybe = st.one_of(st.none(), st.floats(-5, 5, width=32))
items = st.one_of(st.none(), st.sampled_from(["N", "V", "é", "a b"]))
corner = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 9))
picture = st.one_of(st.none(), st.lists(st.tuples(corner, st.sampled_from(["cat", "dog"])), max_size=3))


def chunked(values: list[object], type_: pa.DataType, cut: int) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values[:cut], type_), pa.array(values[cut:], type_)], type_)


@given(st.lists(st.tuples(maybe, maybe), min_size=1, max_size=9), st.integers(0, 9))
def test_numbers_are_present_where_any_is_and_moments_leave_out_what_is_missing(rows: list, cut: int) -> None:
    table = pa.table({name: chunked([row[j] for row in rows], pa.float32(), cut) for j, name in enumerate("ab")})
    found = read_labels(NUMBERS, table)
    for i, row in enumerate(rows):
        assert found.present[i] == any(each is not None for each in row)
        np.testing.assert_equal(found.array[i], np.array(row, np.float32))
    target = target_of(found, np.arange(len(rows)), np.ones(len(rows), np.float32))
    for j in range(2):
        known = [row[j] for row in rows if row[j] is not None]
        assert target.means[j] == pytest.approx(np.mean(known) if known else 0, abs=1e-5)
        assert target.stds[j] == pytest.approx((np.std(known) if known else 1) or 1, abs=1e-5)


@given(st.lists(st.one_of(st.none(), st.lists(items, max_size=4)), min_size=1, max_size=9), st.integers(0, 9))
def test_a_sequence_is_the_places_of_its_items(rows: list, cut: int) -> None:
    known = sorted({item for row in rows for item in row or [] if item is not None})
    table = pa.table({"tags": chunked(rows, pa.list_(pa.string()), cut)})
    if not known:
        with pytest.raises(UnfitError, match="no list of 'tags' holds an item"):
            read_labels(SEQUENCE, table)
        return
    found = read_labels(SEQUENCE, table)
    assert found.levels == tuple(known)
    for i, row in enumerate(rows):
        assert found.present[i] == (row is not None)
        assert found.ragged.row(i).tolist() == [1 if item is None else known.index(item) + 2 for item in row or []]
    target = target_of(found, np.arange(len(rows)), np.ones(len(rows), np.float32))
    assert target.counts == tuple(sum((row or []).count(level) for row in rows) for level in known)
    assert target.longest == max(len(row or []) for row in rows)


def test_a_text_is_a_sequence_of_what_stands_between_its_spaces() -> None:
    table = pa.table({"tags": ["K AE1  T", "", None, " T "]})
    found = read_labels(SEQUENCE, table)
    assert [found.levels[code - 2] for code in found.ragged.row(0)] == ["K", "AE1", "T"]
    assert found.ragged.lengths.tolist() == [3, 0, 0, 1]
    assert found.present.tolist() == [True, True, False, True]


def test_whole_numbers_are_levels_in_their_order_and_what_training_did_not_know_is_unknown() -> None:
    found = read_labels(SEQUENCE, pa.table({"tags": [[10, 9], [9, 100]]}))
    assert found.levels == ("9", "10", "100")
    target = target_of(found, np.array([0]), np.ones(2, np.float32))
    assert target.counts == (1, 1, 0)
    values, present = encode_labels(target, pa.table({"tags": [[100, 7], None]}))
    assert values.row(0).tolist() == [4, 1]  # type: ignore[union-attr]
    assert present.tolist() == [True, False]


@given(st.lists(picture, min_size=1, max_size=6), st.integers(0, 6), st.booleans())
def test_boxes_are_a_class_and_four_corners_each(rows: list, cut: int, nested: bool) -> None:
    corners = [row and [[left, top, left + wide, top + high] for (left, top, wide, high), _ in row] for row in rows]
    classes = [row if row is None else [name for _, name in row] for row in rows]
    flat = [row if row is None else [number for box in row for number in box] for row in corners]
    type_ = pa.list_(pa.list_(pa.int64())) if nested else pa.list_(pa.int64())
    boxes = chunked(corners if nested else flat, type_, cut)
    table = pa.table({"boxes": boxes, "classes": chunked(classes, pa.list_(pa.string()), cut)})
    known = sorted({name for row in classes for name in row or []})
    if not known:
        with pytest.raises(UnfitError, match="no picture of 'boxes' holds an object"):
            read_labels(BOXES, table)
        return
    found = read_labels(BOXES, table)
    for i, (boxed, named) in enumerate(zip(corners, classes, strict=True)):
        assert found.present[i] == (named is not None)
        expected = [[known.index(name) + 1, *box] for name, box in zip(named or [], boxed or [], strict=True)]
        assert found.ragged.row(i).tolist() == expected
    again, present = encode_labels(target_of(found, np.arange(len(rows)), np.ones(len(rows), np.float32)), table)
    assert np.array_equal(again.values, found.ragged.values)  # type: ignore[union-attr]
    assert np.array_equal(present, found.present)


@pytest.mark.parametrize(
    ("spec", "columns", "words"),
    [
        (SPAN, {"first": [2.0], "last": [1.0]}, "the span of row 1 begins at 2 and ends at 1, before it begins."),
        (SPAN, {"first": [0.5], "last": [1.0]}, "'first' is 0.5 in row 1; a place is a whole number from 0."),
        (SPAN, {"first": [None, 0], "last": [1, -3]}, "'last' is -3 in row 2; a place is a whole number from 0."),
        (SEQUENCE, {"tags": [1.5]}, "values of type double are no sequences: these are lists, or texts cut at spaces."),
        (BOXES, {"boxes": ["x"], "classes": [["a"]]}, "'boxes' holds values of type string; boxes and their classes are lists."),
        (BOXES, {"boxes": [["x"]], "classes": [["a"]]}, "'boxes' holds lists of large_string; a box is four numbers."),
        (BOXES, {"boxes": [[1, 2, 3]], "classes": [["a"]]}, "row 1 has 3 numbers in 'boxes' and 1 classes in 'classes'"),
        (BOXES, {"boxes": [[], [1, 2, 1, 4]], "classes": [[], ["a"]]}, "a box of 'boxes' in row 2, 1, 2, 1, 4, has no area."),
        (BOXES, {"boxes": [[1.0, 2, None, 4]], "classes": [["a"]]}, "holds a number that is none, or is infinite."),
        (NUMBERS, {"a": [1.0], "b": [math.inf]}, "1 labels of 'b' are infinite. Make them null."),
    ],
)  # fmt: skip
def test_what_is_no_such_label_is_refused_in_words(spec: TargetSpec, columns: dict, words: str) -> None:
    with pytest.raises(UnfitError) as caught:
        read_labels(spec, pa.table(columns))
    assert words in str(caught.value)


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    chance = np.random.default_rng(0)
    rows = 300
    lengths = chance.integers(0, 20, rows)
    table = pa.table(
        {
            "x": chance.normal(size=rows),
            "tags": [None if not i % 7 else chance.choice(list("NVD"), n).tolist() for i, n in enumerate(lengths)],
            "boxes": [[1.0, 2, 3, 4] * int(n % 3) for n in lengths],
            "classes": [["cat"] * int(n % 3) for n in lengths],
            "a": chance.normal(size=rows),
            "b": [None if i % 2 else float(i) for i in range(rows)],
        }
    )
    pa.parquet.write_table(table, tmp_path / "t.parquet")
    targets = (
        TargetSpec("tagged", ("tags",), "sequence"),
        TargetSpec("found", ("boxes", "classes"), "boxes"),
        TargetSpec("ahead", ("a", "b"), "numbers"),
    )
    spec = TableSpec("t", ("t.parquet",), tmp_path, targets=targets, split=SplitSpec("random", None, 0.2, 0.2))
    prepare(spec, tmp_path / "cache")
    return prepare(spec, tmp_path / "cache")  # as the cache gives it


def test_batches_hold_labels_padded_to_the_longest_of_a_shard(prepared: Prepared) -> None:
    def stream(shards: range) -> TableStream:
        return TableStream({"t": prepared}, 60, seed=1, shards=shards, num_shards=4)

    drawn = next(iter(stream(range(4)).batches(0)))
    for shard, each in enumerate(drawn):
        batch, (alone,) = each["t"], next(iter(stream(range(shard, shard + 1)).batches(0)))
        for task, values in prepared.targets.items():
            found = batch.targets[task]
            assert torch.equal(found.nan_to_num(7), alone["t"].targets[task].nan_to_num(7))
            for i, row in enumerate(batch.rows.tolist()):
                own = values.row(row) if task != "ahead" else values[row]  # type: ignore[union-attr, index]
                np.testing.assert_equal(found[i, : len(own)].numpy(), own)
                assert not found[i, len(own) :].any()
        assert (batch.present["tagged"] == (batch.rows % 7 != 0)).all()


def test_evaluation_reads_the_same_labels(prepared: Prepared) -> None:
    (chunk,) = sequential(prepared, "test", 1000)
    rows = prepared.splits["test"]
    tagged = prepared.targets["tagged"]
    assert [len(tagged.row(row)) for row in rows] == (chunk.targets["tagged"] > 0).sum(1).tolist()  # type: ignore[union-attr]


def test_a_table_that_is_streamed_refuses_them_with_the_mend(prepared: Prepared, tmp_path: Path) -> None:
    spec = TableSpec("t", ("t.parquet",), tmp_path, drop=("boxes", "classes"), targets=(SEQUENCE,), memory=1000)
    with pytest.raises(UserError, match=r"tasks.t.target: a sequence is not cleaned in a stream. Allow more: memory."):
        prepare(spec, tmp_path / "cache")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 3)), min_size=1, max_size=4))
def test_rows_of_different_shapes_are_stacked_with_zeros_behind(shapes: list) -> None:
    parts = [torch.ones(shape) for shape in shapes]
    found = stacked(parts)
    assert list(found.shape) == [sum(rows for rows, _, _ in shapes), *(max(s[i] for s in shapes) for i in (1, 2))]
    row = 0
    for part in parts:
        assert torch.equal(padded(part, list(found.shape[1:])), found[row : row + len(part)])
        assert float(found[row : row + len(part)].sum()) == part.numel()
        row += len(part)
