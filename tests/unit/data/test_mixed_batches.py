"""Laws of a stream that takes some of its tables at a step: whole lines, any number of workers, a seek, and history."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from polygraft.data.base import ShardBatches
from polygraft.data.batches import TableStream
from polygraft.data.mixing.base import Mixture
from polygraft.data.mixing.loss_driven import LossDriven
from polygraft.data.mixing.proportional import Proportional
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.spec import TableSpec, TargetSpec

SIZES = {"small": 120, "large": 900}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Prepared]:
    folder = tmp_path_factory.mktemp("mixed")
    found = {}
    for name, rows in SIZES.items():
        frame = pd.DataFrame({"x": np.arange(rows) * 1.5, "y": np.arange(rows) % 7 * 1.0})
        frame.to_parquet(folder / f"{name}.parquet")
        targets = (TargetSpec(f"y_{name}", ("y",), "number"),)
        found[name] = prepare(TableSpec(name, (f"{name}.parquet",), folder, targets=targets), folder / "cache")
    return found


def stream(tables: dict[str, Prepared], mixture: Mixture | None, shards: range = range(3)) -> TableStream:
    return TableStream(tables, 50, seed=3, shards=shards, num_shards=3, mixture=mixture)


def proportional(tables: dict[str, Prepared]) -> Proportional:
    return Proportional(tuple(len(each.splits["train"]) for each in tables.values()))


def take(stream: TableStream, first: int, last: int) -> list[ShardBatches]:
    batches = stream.batches(first)
    taken = list(itertools.islice(batches, last - first))
    batches.close()
    return taken


def numbers(step: ShardBatches) -> dict[str, list[int]]:
    """By table, the row numbers of the whole step."""
    return {table: torch.cat([shard[table].rows for shard in step]).tolist() for table in step[0]}


def test_a_step_takes_one_table_and_every_shard_the_same(tables: dict[str, Prepared]) -> None:
    steps = take(stream(tables, proportional(tables)), 0, 80)
    assert all(len({*map(frozenset, step)}) == 1 and len(step[0]) == 1 for step in steps)
    drawn = [next(iter(step[0])) for step in steps]
    assert 0 < drawn.count("small") < drawn.count("large")


def test_a_tables_turns_take_its_line_without_a_gap(tables: dict[str, Prepared]) -> None:
    """Each row once an epoch of the table's own, however seldom it is taken: what `all` gives it, one turn after another."""
    every = [numbers(step) for step in take(stream(tables, None), 0, 200)]
    mixed = [numbers(step) for step in take(stream(tables, proportional(tables)), 0, 200)]
    for table in tables:
        turns = [step[table] for step in mixed if table in step]
        assert turns == [step[table] for step in every][: len(turns)]


def test_a_seek_gives_what_a_run_through_gives(tables: dict[str, Prepared]) -> None:
    through = [numbers(step) for step in take(stream(tables, proportional(tables)), 0, 90)]
    for cursor in (1, 2, 33, 70):
        sought = take(stream(tables, proportional(tables)), cursor, cursor + 3)
        assert [numbers(step) for step in sought] == through[cursor : cursor + 3]


def test_two_workers_take_the_parts_of_what_one_takes(tables: dict[str, Prepared]) -> None:
    whole, *parts = (
        take(stream(tables, proportional(tables), shards), 5, 65) for shards in (range(3), range(1), range(1, 3))
    )
    for step, one, other in zip(whole, *parts, strict=True):
        assert numbers(step) == numbers([*one, *other])


def learn(stream: TableStream, first: int, last: int) -> list[dict[str, list[int]]]:
    """Row numbers of steps whose losses are a function of the step."""
    batches, found = stream.batches(first), []
    for step in range(first, last):
        found.append(numbers(next(batches)))
        stream.observe(step, {f"y_{table}": 1 / (1 + step) if table == "large" else 1.0 for table in found[-1]})
    return found


def driven() -> LossDriven:
    return LossDriven((("y_small",), ("y_large",)), power=2.0)


def test_with_history_it_draws_in_step_and_without_a_thread(tables: dict[str, Prepared]) -> None:
    source = stream(tables, driven())
    drawn = learn(source, 0, 150)
    assert "polygraft-prefetch" not in [thread.name for thread in threading.enumerate()]
    assert source.waited_s > 0
    late = [next(iter(each)) for each in drawn[50:]]
    assert late.count("small") > 2 * late.count("large"), "the table that learned nothing comes more often"


def test_with_history_it_goes_on_from_what_was_saved(tables: dict[str, Prepared], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    whole, first, second = (stream(tables, driven()) for _ in range(3))
    through = learn(whole, 0, 60)
    begun = learn(first, 0, 25)
    save_file(first.state(), tmp_path / "stream.safetensors")
    second.load(load_file(tmp_path / "stream.safetensors"))
    assert begun + learn(second, 25, 60) == through
    assert second.told(60) == whole.told(60)


def test_without_history_nothing_is_saved(tables: dict[str, Prepared]) -> None:
    source = stream(tables, proportional(tables))
    learn(source, 0, 5)
    assert source.state() == {}
