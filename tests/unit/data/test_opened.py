"""A table that is surveyed block by block is the table in memory: the same splits, hashes, levels, sample and findings."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from polygraft.core.catalogue import catalogue
from polygraft.core.errors import UserError
from polygraft.data.opened import Opened, opened
from polygraft.data.quality import registry
from polygraft.data.quality.base import Finding
from polygraft.data.spec import SplitSpec, TableSpec, TargetSpec
from polygraft.data.statistics import MOST_LETTERS, statistics
from polygraft.data.survey import Survey, survey_blocks

ROWS = 30_000
SPLITS = [
    SplitSpec(),
    SplitSpec("time", "at", 0.1, 0.2),
    SplitSpec("group", "town", 0.2, 0.2),
    SplitSpec("column", "part", "b", "c"),
    SplitSpec("column", "part", 0.2, ("b", "c")),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dirt of several kinds, as Parquet of small row groups, as CSV, and as two files."""
    folder, rng = tmp_path_factory.mktemp("table"), np.random.default_rng(0)
    columns = {
        "x": pa.array(rng.normal(size=ROWS), mask=rng.random(ROWS) < 0.1),
        "sex": rng.choice(["f", "m"], ROWS),
        "town": rng.choice(["Ulm", "Graz", "?", "Bern", "Linz", "Rom"], ROWS),
        "code": rng.integers(0, 10**9, ROWS),
        "at": np.arange(ROWS) // 3,
        "part": rng.choice(list("abc"), ROWS, p=[0.7, 0.1, 0.2]),
        "late": rng.random(ROWS) < 0.2,
    }
    table = pa.table(columns)
    table = pa.concat_tables([table, table.slice(100, 50)])
    parquet.write_table(table, folder / "t.parquet", row_group_size=4_000)
    csv.write_csv(table, folder / "t.csv")
    parquet.write_table(table.slice(0, 7_777), folder / "cut-0.parquet")
    parquet.write_table(table.slice(7_777), folder / "cut-1.parquet", row_group_size=1_000)
    return folder


def looked(folder: Path, cache: Path, source: str, split: SplitSpec, memory: int) -> tuple[Opened, Survey]:
    spec = TableSpec("t", (source,), folder, split=split, targets=(TargetSpec("late", ("late",), "category"),), seed=3)
    table = opened(dataclasses.replace(spec, memory=memory), cache)
    return table, survey_blocks(table.spec, table.schema, table.rows, table.blocks())


@pytest.mark.parametrize("source", ["t.parquet", "t.csv", "cut-*.parquet"])
@pytest.mark.parametrize("split", SPLITS, ids=lambda split: f"{split.by} {split.validation}")
def test_a_stream_is_seen_as_the_table_in_memory(folder: Path, tmp_path: Path, source: str, split: SplitSpec) -> None:
    held, whole = looked(folder, tmp_path, source, split, 2**30)
    cut, seen = looked(folder, tmp_path, source, split, 100_000)
    assert (sum(1 for _ in held.blocks()), sum(1 for _ in cut.blocks()) > 10) == (1, True)
    assert (seen.hashes == whole.hashes).all()
    assert (seen.parts == whole.parts).all()
    assert (seen.sample_parts == whole.sample_parts).all()
    assert seen.sample.equals(whole.sample)
    for name, column in whole.columns.items():
        assert (seen.columns[name].rows, seen.columns[name].missing) == (column.rows, column.missing)
        assert seen.columns[name].levels == column.levels
    assert list(tmp_path.glob("parts/*")) == []  # what was laid aside for the split is gone


def test_the_findings_are_the_same(folder: Path, tmp_path: Path) -> None:
    def told(memory: int) -> list[Finding]:
        _, seen = looked(folder, tmp_path, "t.parquet", SplitSpec(), memory)
        return [finding for name in catalogue("data/quality") for finding in registry.make(name).look(seen)]

    assert told(100_000) == told(2**30)
    assert {"duplicates", "missing_values", "suspicious_levels"} <= {each.check for each in told(100_000)}


def test_faults_of_a_streamed_table_are_told_with_their_setting(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"split\.test: .*no row of 'part' is 'z'"):
        looked(folder, tmp_path, "t.parquet", SplitSpec("column", "part", "b", "z"), 100_000)


def test_blocks_can_be_read_again_and_the_fingerprint_is_that_of_the_prepared_table(
    folder: Path, tmp_path: Path
) -> None:
    from polygraft.data.preparation import prepare

    table, _ = looked(folder, tmp_path, "t.parquet", SplitSpec(), 100_000)
    assert [len(rows) for rows, _ in table.blocks()] == [len(rows) for rows, _ in table.blocks()]
    spec = dataclasses.replace(table.spec, drop=("part", "code"))
    assert opened(spec, tmp_path).fingerprint == prepare(spec, tmp_path).fingerprint != table.fingerprint


def test_levels_are_no_longer_counted_when_their_letters_are_too_many() -> None:
    long = [f"{i}{'x' * 5_000}" for i in range(1_000)]
    assert statistics(pa.array(long[:10])).levels is not None
    assert len(long) * 5_000 > MOST_LETTERS
    assert statistics(pa.array(long)).levels is None
    assert statistics(pa.array(long[:500])).merge(statistics(pa.array(long[500:]))).levels is None
