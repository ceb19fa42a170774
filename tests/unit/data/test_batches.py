"""Laws of the stream: pure in (seed, step), every row once an epoch, any number of shards, and a thread that ends."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polygraft.core.batch import Batch
from polygraft.core.errors import UserError
from polygraft.data.batches import TableStream, num_chunks, sequential
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.sampling import Order, shard_bounds
from polygraft.data.spec import SplitSpec, TableSpec, TargetSpec


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("stream")
    chance = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{i}": chance.normal(size=503) for i in range(3)})
    frame["c"] = chance.choice(list("abc"), 503)
    frame["late"] = np.where(chance.random(503) < 0.2, None, chance.choice(["no", "yes"], 503))
    frame["delay"] = chance.normal(size=503)
    frame["w"] = chance.random(503)
    frame.to_parquet(folder / "t.parquet")
    targets = (TargetSpec("late", ("late",), "category"), TargetSpec("delay", ("delay",), "number"))
    return prepare(TableSpec("t", ("t.parquet",), folder, weight="w", targets=targets), folder / "cache")


def stream(prepared: Prepared, batch_size: int = 100, shards: range = range(1), num_shards: int = 1) -> TableStream:
    return TableStream({"t": prepared}, batch_size, seed=3, shards=shards, num_shards=num_shards)


def steps(stream: TableStream, first: int, last: int) -> list[list[Batch]]:
    batches = stream.batches(first)
    taken = [[shard["t"] for shard in step] for step in itertools.islice(batches, last - first)]
    batches.close()
    return taken


def join(shards: list[Batch]) -> list[torch.Tensor]:
    """All tensors of the shards' batches, end to end."""

    def tensors(batch: Batch) -> list[torch.Tensor]:
        return [*batch.inputs.values(), *batch.targets.values(), *batch.present.values(), batch.weights, batch.rows]

    return [torch.cat(parts) for parts in zip(*map(tensors, shards), strict=True)]


@settings(max_examples=25, deadline=None)
@given(batch_size=st.integers(7, 350), num_shards=st.integers(1, 7), first=st.integers(0, 40))
def test_the_shards_of_any_number_make_the_same_global_batch(
    prepared: Prepared, batch_size: int, num_shards: int, first: int
) -> None:
    whole = steps(stream(prepared, batch_size), first, first + 3)
    cut = num_shards // 2
    workers = [range(cut), range(cut, num_shards)] if cut else [range(num_shards)]
    parts = [steps(stream(prepared, batch_size, shards, num_shards), first, first + 3) for shards in workers]
    for step in range(3):
        together = [batch for part in parts for batch in part[step]]
        assert len(together) == num_shards
        for one, many in zip(join(whole[step]), join(together), strict=True):
            assert torch.equal(one, many)
        assert [len(batch) for batch in together] == np.diff(shard_bounds(batch_size, num_shards)).tolist()


def test_a_seek_gives_what_a_run_through_gives(prepared: Prepared) -> None:
    through = steps(stream(prepared), 0, 60)
    for cursor in (1, 3, 4, 33, 59):
        for a, b in zip(join(through[cursor]), join(steps(stream(prepared), cursor, cursor + 1)[0]), strict=True):
            assert torch.equal(a, b)


@given(rows=st.integers(1, 200), seed=st.integers(0, 100))
def test_every_row_comes_once_an_epoch_and_in_another_order_the_next(rows: int, seed: int) -> None:
    numbers = np.arange(rows) * 7
    order = Order(seed, "t", numbers)
    first, second = order.take(0, rows), order.take(rows, 2 * rows)
    assert sorted(first) == sorted(second) == numbers.tolist()
    assert rows < 20 or (first != second).any()
    assert (
        order.take(rows // 2, rows // 2 + 3 * rows)
        == Order(seed, "t", numbers).take(0, 4 * rows)[rows // 2 :][: 3 * rows]
    ).all()


def test_order_differs_by_seed_and_by_table() -> None:
    numbers = np.arange(1000)
    orders = [Order(seed, table, numbers).take(0, 1000).tolist() for seed, table in [(1, "a"), (1, "b"), (2, "a")]]
    assert len({tuple(order) for order in orders}) == 3


def test_a_batch_holds_its_rows(prepared: Prepared) -> None:
    for batch in (steps(stream(prepared, 100, range(1, 3), 3), 7, 8)[0][0], *sequential(prepared, "test", 40)):
        rows = batch.rows.numpy()
        for name, array in prepared.inputs.items():
            assert np.array_equal(batch.inputs[name].numpy(), array[rows])
        for task in ("late", "delay"):
            assert np.array_equal(batch.targets[task].numpy(), prepared.targets[task][rows])
            assert np.array_equal(batch.present[task].numpy(), prepared.present[task][rows])
        assert np.array_equal(batch.weights.numpy(), prepared.weights[rows])
        assert batch.inputs["numbers"].dtype == torch.float32
        assert batch.inputs["categories"].dtype == torch.int32
        assert batch.targets["late"].dtype == torch.int64


def test_only_training_rows_are_drawn(prepared: Prepared) -> None:
    drawn = {row for step in steps(stream(prepared), 0, 12) for batch in step for row in batch.rows.tolist()}
    assert drawn == set(prepared.splits["train"].tolist())


def test_evaluation_chunks_are_slices_of_a_fixed_grid(prepared: Prepared) -> None:
    count = num_chunks(prepared, "test", 16)
    whole = [batch.rows for batch in sequential(prepared, "test", 16)]
    parts = [
        batch.rows
        for chunks in (range(2), range(2, count))
        for batch in sequential(prepared, "test", 16, chunks=chunks)
    ]
    assert len(whole) == count
    assert all(map(torch.equal, whole, parts))
    assert torch.equal(torch.cat(whole), torch.from_numpy(prepared.splits["test"]))


def test_epoch_steps_round_up(prepared: Prepared) -> None:
    rows = len(prepared.splits["train"])
    assert [stream(prepared, size).epoch_steps("t") for size in (rows, rows - 1, 100)] == [1, 2, -(-rows // 100)]


def test_a_batch_larger_than_the_training_rows_is_refused(prepared: Prepared) -> None:
    rows = len(prepared.splits["train"])
    with pytest.raises(UserError) as error:
        stream(prepared, 500_000)
    wanted = f"train.batch_size: 500,000 is more than the {rows} training rows of 't'. Take at most that."
    assert str(error.value) == wanted


def test_a_batch_smaller_than_its_shards_is_refused(prepared: Prepared) -> None:
    with pytest.raises(UserError, match="2 rows cannot be cut into 3 shards"):
        stream(prepared, 2, range(3), 3)


def test_the_thread_ends_with_its_iterator_and_the_wait_is_counted(prepared: Prepared) -> None:
    source = stream(prepared)
    batches = source.batches(0)
    next(batches)
    assert "polygraft-prefetch" in [thread.name for thread in threading.enumerate()]
    batches.close()
    assert "polygraft-prefetch" not in [thread.name for thread in threading.enumerate()]
    assert source.waited_s > 0


def test_a_drawn_batch_is_memory_of_its_own(prepared: Prepared) -> None:
    batch = steps(stream(prepared), 0, 1)[0][0]
    before = prepared.inputs["numbers"].copy()
    batch.inputs["numbers"].zero_()
    assert np.array_equal(prepared.inputs["numbers"], before)


def test_two_tables_draw_independently(prepared: Prepared, tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(50.0), "y": np.arange(50.0)})
    frame.to_csv(tmp_path / "u.csv", index=False)
    targets = (TargetSpec("y", ("y",), "number"),)
    other = prepare(
        TableSpec("u", ("u.csv",), tmp_path, targets=targets, split=SplitSpec(test=0.1)), tmp_path / "cache"
    )
    both = TableStream({"t": prepared, "u": other}, 20, seed=3, shards=range(2), num_shards=2)
    batches = both.batches(5)
    step = next(batches)
    batches.close()
    assert [set(shard) for shard in step] == [{"t", "u"}] * 2
    alone = steps(stream(prepared, 20, range(2), 2), 5, 6)[0]
    assert all(torch.equal(shard["t"].rows, each.rows) for shard, each in zip(step, alone, strict=True))
