"""Laws of rows of different lengths: kept whole, padded by their batch alone, the same for any number of workers."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polygraft.core.batch import Batch
from polygraft.core.errors import UserError
from polygraft.data.batches import TableStream, chunked, sequential
from polygraft.data.cache import map_arrays, write_arrays
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.ragged import STEP, Ragged, shortened
from polygraft.data.spec import TableSpec, TargetSpec


@st.composite
def ragged_rows(draw: st.DrawFn) -> tuple[list[np.ndarray], Ragged]:
    """Rows as a list of arrays, and the same end to end."""
    lengths = draw(st.lists(st.integers(0, 20), min_size=1, max_size=30))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(st.sampled_from([(), (1,), (3,)]))
    rows = [
        chance.normal(size=(each, *shape)).astype(np.float32) if shape else chance.integers(2, 9, each).astype(np.int32)
        for each in lengths
    ]
    return rows, Ragged.end_to_end(np.concatenate(rows), np.array(lengths, np.int64))


@given(made=ragged_rows(), data=st.data())
def test_padding_is_what_a_loop_over_the_rows_says(made: tuple[list[np.ndarray], Ragged], data: st.DataObject) -> None:
    rows, whole = made
    taken = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=12)), np.int64)
    padded, mask = whole.padded(taken)
    longest = max([1, *(len(rows[row]) for row in taken)])
    assert padded.shape[:2] == mask.shape == (len(taken), -(-longest // STEP) * STEP)
    for at, row in enumerate(taken):
        count = len(rows[row])
        assert mask[at].tolist() == [True] * count + [False] * (mask.shape[1] - count)
        assert np.array_equal(padded[at, :count], rows[row])
        assert not padded[at, count:].any()


@given(made=ragged_rows(), longest=st.integers(1, 25))
def test_shortened_rows_keep_their_beginning(made: tuple[list[np.ndarray], Ragged], longest: int) -> None:
    rows, whole = made
    short = shortened(whole, longest)
    assert short.lengths.tolist() == [min(len(row), longest) for row in rows]
    assert np.array_equal(short.values, np.concatenate([row[:longest] for row in rows]))


@given(made=ragged_rows())
def test_the_cache_gives_back_what_it_was_given(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[list[np.ndarray], Ragged]
) -> None:
    rows, whole = made
    image = np.arange(len(rows) * 12, dtype=np.uint8).reshape(len(rows), 1, 3, 4)
    file = tmp_path_factory.mktemp("cache") / "rows.arrow"
    write_arrays(file, {"rows": whole, "image": image, "flat": image[:, 0, 0, 0].copy()})
    found = map_arrays(file)
    again = found["rows"]
    assert isinstance(again, Ragged)
    assert np.array_equal(again.values, whole.values)
    assert again.values.dtype == whole.values.dtype
    assert np.array_equal(again.starts, whole.starts)
    assert np.array_equal(again.lengths, whole.lengths)
    assert np.array_equal(found["image"], image)
    assert found["flat"].shape == (len(rows),)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """300 rows with a number, lists of numbers and of levels whose length differs from row to row."""
    folder: Path = tmp_path_factory.mktemp("lists")
    chance = np.random.default_rng(0)
    lengths = chance.integers(0, 60, 300) * chance.integers(0, 2, 300)
    frame = pd.DataFrame(
        {
            "x": chance.normal(size=300),
            "loads": [chance.normal(size=each).tolist() for each in lengths],
            "tags": [chance.choice(list("abcdef"), each // 3).tolist() for each in lengths],
            "y": chance.normal(size=300),
        }
    )
    frame.to_parquet(folder / "t.parquet")
    spec = TableSpec("t", ("t.parquet",), folder, targets=(TargetSpec("y", ("y",), "number"),))
    return prepare(spec, folder / "cache")


def shards_of(prepared: Prepared, workers: list[range], steps: range) -> list[list[Batch]]:
    """The batches of all shards of some steps, drawn by these workers."""
    drawn: list[list[Batch]] = [[] for _ in steps]
    for mine in workers:
        stream = TableStream({"t": prepared}, 50, seed=3, shards=mine, num_shards=6)
        batches = stream.batches(steps.start)
        for step, each in enumerate(itertools.islice(batches, len(steps))):
            drawn[step] += [shard["t"] for shard in each]
        batches.close()  # type: ignore[attr-defined]
    return drawn


@settings(max_examples=10)
@given(world=st.integers(2, 4), first=st.integers(0, 30))
def test_a_shard_is_padded_alike_on_any_number_of_workers(prepared: Prepared, world: int, first: int) -> None:
    bounds = [rank * 6 // world for rank in range(world + 1)]
    alone = shards_of(prepared, [range(6)], range(first, first + 3))
    many = shards_of(prepared, list(map(range, bounds[:-1], bounds[1:])), range(first, first + 3))
    for one, other in zip(itertools.chain(*alone), itertools.chain(*many), strict=True):
        assert one.inputs.keys() == other.inputs.keys()
        assert all(torch.equal(each, other.inputs[name]) for name, each in one.inputs.items())
        longest = int(one.inputs["series_mask/loads"].sum(1).max())
        assert one.inputs["series/loads"].shape[1] == -(-longest // STEP) * STEP  # of its own rows alone


def test_evaluation_and_prediction_see_the_same_inputs(prepared: Prepared) -> None:
    rows = prepared.splits["test"]
    own = {
        name: each[rows] if isinstance(each, np.ndarray) else _some(each, rows)
        for name, each in prepared.inputs.items()
        if isinstance(each, Ragged) or each.size
    }
    pairs = zip(sequential(prepared, "test", 16), chunked(own, 16), strict=True)
    for evaluated, predicted in pairs:
        assert evaluated.inputs.keys() == predicted.inputs.keys()
        assert all(torch.equal(each, predicted.inputs[name]) for name, each in evaluated.inputs.items())


def _some(whole: Ragged, rows: np.ndarray) -> Ragged:
    parts = [whole.row(row) for row in rows]
    return Ragged.end_to_end(np.concatenate(parts), np.array(list(map(len, parts)), np.int64))


def test_lists_that_would_be_streamed_are_refused_with_the_mend(tmp_path: Path) -> None:
    pd.DataFrame({"a": [[1.0]] * 40, "y": np.arange(40.0)}).to_parquet(tmp_path / "t.parquet")
    spec = TableSpec("t", ("t.parquet",), tmp_path, targets=(TargetSpec("y", ("y",), "number"),), memory=1)
    with pytest.raises(UserError, match="a list, and these are not cleaned in a stream"):
        prepare(spec, tmp_path / "cache")
