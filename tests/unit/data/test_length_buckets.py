"""Batches of rows of like length: every row once an epoch, a function of seed and step alone, and little that is padded."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polygraft.core.errors import UserError
from polygraft.data.batches import TableStream
from polygraft.data.preparation import prepare
from polygraft.data.sampling import Buckets, Order
from polygraft.data.spec import TableSpec, TargetSpec


@st.composite
def orders(draw: st.DrawFn) -> tuple[Order, Order]:
    """The order of some rows, and the same with buckets."""
    rows = np.flatnonzero(draw(st.lists(st.booleans(), min_size=2, max_size=80).filter(any)))
    lengths = np.array(draw(st.lists(st.integers(0, 50), min_size=80, max_size=80)))
    batch_size = draw(st.integers(1, len(rows)))
    seed, pool = draw(st.integers(0, 9)), draw(st.integers(1, 9))
    return Order(seed, "t", rows), Order(seed, "t", rows, None, Buckets(lengths, batch_size, pool))


@given(made=orders())
def test_every_row_comes_once_an_epoch(made: tuple[Order, Order]) -> None:
    plain, sorted_ = made
    for epoch in range(3):
        assert sorted(sorted_.epoch(epoch)) == sorted(plain.epoch(epoch)) == list(plain.rows)


@given(made=orders(), at=st.integers(0, 200), count=st.integers(1, 100))
def test_what_is_taken_does_not_depend_on_what_was_taken_before(made: tuple[Order, Order], at: int, count: int) -> None:
    fresh = replace(made[1], _epochs={})
    whole = made[1].take(0, at + count)
    assert np.array_equal(fresh.take(at, at + count), whole[at:])


@given(made=orders())
def test_the_batches_of_a_pool_are_its_sorted_rows_cut_and_a_shared_batch_is_left_as_it_was(
    made: tuple[Order, Order],
) -> None:
    plain, sorted_ = made
    assert sorted_.buckets is not None
    lengths, size, pool = sorted_.buckets.lengths, sorted_.buckets.batch_size, sorted_.buckets.pool
    count = len(plain.rows)
    for epoch in range(3):
        first = -(-epoch * count // size)  # batches of the line, of which these are the epoch's own
        last = (epoch + 1) * count // size
        for begin in range(first, last, pool):
            span = (begin * size, min(begin + pool, last) * size)
            before, after = (lengths[order.take(*span)] for order in (plain, sorted_))
            batches = sorted(after.reshape(-1, size).tolist())
            assert np.array_equal(np.concatenate(batches), np.sort(before))
        for span in (
            (epoch * count, min(first * size, (epoch + 1) * count)),
            (max(last * size, epoch * count), (epoch + 1) * count),
        ):
            assert span[0] >= span[1] or np.array_equal(plain.take(*span), sorted_.take(*span))


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> TableSpec:
    folder: Path = tmp_path_factory.mktemp("lengths")
    chance = np.random.default_rng(0)
    lengths = np.minimum(chance.geometric(0.02, 2000), 400)
    frame = pd.DataFrame({"x": chance.normal(size=2000), "loads": [[1.0] * each for each in lengths], "y": lengths})
    frame.to_parquet(folder / "t.parquet")
    return TableSpec("t", ("t.parquet",), folder, targets=(TargetSpec("y", ("y",), "number"),), by_length=20)


def drawn(spec: TableSpec, workers: list[range]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The rows of each shard of 50 steps, drawn by these workers, and their masks."""
    table = prepare(spec, spec.folder / "cache")
    steps: list[list] = [[] for _ in range(50)]
    for mine in workers:
        stream = TableStream({"t": table}, 50, seed=3, shards=mine, num_shards=4)
        for step, each in zip(steps, itertools.islice(stream.batches(0), 50), strict=True):
            step += [shard["t"] for shard in each]
    shards = list(itertools.chain(*steps))
    return [shard.rows for shard in shards], [shard.inputs["series_mask/loads"] for shard in shards]


def places(masks: list[torch.Tensor]) -> float:
    """Places of a batch for each that is no padding."""
    return sum(each.numel() for each in masks) / sum(int(each.sum()) for each in masks)


def test_little_is_padded_and_the_batches_do_not_go_from_short_to_long(spec: TableSpec) -> None:
    _, without = drawn(replace(spec, by_length=0), [range(4)])
    _, masks = drawn(spec, [range(4)])
    assert places(without) > 2
    assert places(masks) < 1.3
    pool = [max(each.shape[1] for each in masks[step : step + 4]) for step in range(0, 20 * 4, 4)]
    assert abs(np.corrcoef(np.arange(20), pool)[0, 1]) < 0.5


def test_any_number_of_workers_draws_the_same_shards(spec: TableSpec) -> None:
    alone, _ = drawn(spec, [range(4)])
    two, _ = drawn(spec, [range(3), range(3, 4)])
    assert all(torch.equal(one, other) for one, other in zip(alone, two, strict=True))


def test_a_table_without_lengths_refuses_them(tmp_path: Path) -> None:
    pd.DataFrame({"x": np.arange(40.0), "y": np.arange(40.0)}).to_parquet(tmp_path / "t.parquet")
    spec = TableSpec("t", ("t.parquet",), tmp_path, targets=(TargetSpec("y", ("y",), "number"),), by_length=2)
    with pytest.raises(UserError, match=r"data\.t\.by_length: no feature is a list or a text"):
        prepare(spec, tmp_path / "cache")
