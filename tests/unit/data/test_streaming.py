"""A table cleaned in a stream is the table cleaned in memory: the same splits, targets and plans, whatever the blocks and files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from pyarrow import parquet

from polygraft.core.errors import UserError
from polygraft.data import part_tasks, preparation
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.spec import SplitSpec, TableSpec, TargetSpec
from polygraft.data.tables import write

ROWS = 18_000
TARGETS = (
    TargetSpec("late", ("late",), "category"),
    TargetSpec("delay", ("delay",), "number"),
    TargetSpec("kinds", ("rain", "snow"), "labels"),
)
NO_QUANTILE = (("missing", {"fill": "mean"}), ("rare_levels", {"min_count": 30}))


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """Every kind of column, with gaps, far from 0, rare levels, a weight, a group, a time with ties, a column of parts."""
    chance = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "distance": chance.gamma(2, 500, ROWS),
            "far": 1e6 + chance.normal(size=ROWS),
            "wind": np.where(chance.random(ROWS) < 0.1, np.nan, chance.normal(10, 3, ROWS)),
            "seats": chance.integers(0, 400, ROWS),
            "carrier": chance.choice([*"ABCDEFGH", None], ROWS),
            "tail": [f"N{number}" for number in chance.zipf(1.3, ROWS) % 5000],
            "holiday": chance.random(ROWS) < 0.1,
            "departs": pd.Timestamp("2013-01-01") + pd.to_timedelta(chance.integers(0, 3000, ROWS), unit="h"),
            "rain": chance.random(ROWS) < 0.3,
            "snow": chance.random(ROWS) < 0.05,
            "weight": chance.gamma(2, 1, ROWS),
            "part": chance.choice(["train", "test", "validation"], ROWS, p=[0.7, 0.2, 0.1]),
            "year": chance.integers(2010, 2014, ROWS),
        }
    )
    frame["late"] = np.where(chance.random(ROWS) < 0.1, None, chance.choice(["no", "maybe", "yes"], ROWS))
    frame["delay"] = np.where(frame["late"].isna(), np.nan, chance.normal(7, 20, ROWS))
    return pa.Table.from_pandas(frame, preserve_index=False)


@pytest.fixture(scope="module")
def folder(table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table as `t.parquet` of many row groups, and in three Parquet files, the first of them with small row groups."""
    folder = tmp_path_factory.mktemp("table")
    parquet.write_table(table, folder / "t.parquet", row_group_size=4_000)
    for i, (first, last) in enumerate([(0, 7_777), (7_777, 7_778), (7_778, ROWS)]):
        parquet.write_table(
            table.slice(first, last - first), folder / f"cut-{i}.parquet", row_group_size=1_000 if i == 0 else 9_000
        )
    return folder


def spec(folder: Path, **changes: object) -> TableSpec:
    base = TableSpec("t", ("t.parquet",), folder, clean=NO_QUANTILE, targets=TARGETS, weight="weight", seed=3)
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def streamed(spec: TableSpec, cache: Path, memory: int = 100_000) -> Prepared:
    prepared = prepare(dataclasses.replace(spec, memory=memory), cache)
    assert list((cache / "tables").glob(f"{prepared.fingerprint}/rows")), "it was held in memory"
    return prepared


def assert_same(held: Prepared, streamed: Prepared) -> None:
    """Every array, bit for bit; what is said of number targets to rounding."""
    for name in ("inputs", "targets", "present", "splits"):
        mine, its = getattr(held, name), getattr(streamed, name)
        assert mine.keys() == its.keys()
        for key in mine:
            assert mine[key].dtype == its[key].dtype
            assert_array_equal(mine[key], its[key], err_msg=f"{name} {key}")
    assert_array_equal(held.weights, streamed.weights)
    for feature, other in zip(held.preprocessor.features, streamed.preprocessor.features, strict=True):
        assert feature == other
    for task, target in held.target_info.items():
        other = streamed.target_info[task]
        assert other.mean == pytest.approx(target.mean, rel=1e-12)
        assert other.std == pytest.approx(target.std, rel=1e-6)
        assert dataclasses.replace(other, mean=target.mean, std=target.std) == target


SPLITS = [
    SplitSpec(),
    SplitSpec(validation=0.0, test=0.31),
    SplitSpec("group", "tail"),
    SplitSpec("time", "departs"),
    SplitSpec("time", "distance", validation=0.15, test=0.05),
    SplitSpec("time", "year", validation=0.3, test=0.3),
    SplitSpec("column", "part", validation="validation", test="test"),
    SplitSpec("column", "year", validation=0.1, test=(2013,)),
]


@pytest.mark.parametrize("split", SPLITS, ids=lambda split: f"{split.by} {split.column} {split.validation}")
def test_a_streamed_table_is_bit_for_bit_the_one_in_memory(folder: Path, tmp_path: Path, split: SplitSpec) -> None:
    described = spec(folder, split=split)
    assert_same(prepare(described, tmp_path), streamed(described, tmp_path))


@pytest.mark.parametrize("sources", [("cut-*.parquet",), ("t.csv",), ("t.arrow",), ("t.jsonl",), ("a.csv", "b.csv.gz")])
def test_every_form_of_file_gives_the_same_rows(
    table: pa.Table, folder: Path, tmp_path: Path, sources: tuple[str, ...]
) -> None:
    if sources[0] == "t.jsonl":
        table.to_pandas().drop(columns="departs").to_json(folder / "t.jsonl", orient="records", lines=True)
    elif sources[0] == "a.csv":
        write(table.slice(0, 12_000), folder / "a.csv")
        table.slice(12_000).to_pandas().to_csv(folder / "b.csv.gz", index=False)
    elif not (folder / sources[0]).exists() and "*" not in sources[0]:
        write(table, folder / sources[0])
    described = spec(folder, sources=sources)
    assert_same(prepare(described, tmp_path), streamed(described, tmp_path))


def test_neither_the_memory_nor_the_blocks_show_in_what_is_written(folder: Path, tmp_path: Path) -> None:
    described = spec(folder, clean=(("missing", {}), ("outliers", {})))
    first = streamed(described, tmp_path / "a", memory=50_000)
    second = streamed(described, tmp_path / "b", memory=3_000_000)
    assert_same(first, second)
    assert first.fingerprint == second.fingerprint


def test_sketched_quantiles_clip_at_ranks_within_a_thousandth(folder: Path, tmp_path: Path, table: pa.Table) -> None:
    steps = (("missing", {}), ("outliers", {"low": 0.02, "high": 0.9}))
    described = spec(folder, clean=steps, split=SplitSpec(validation=0.0, test=0.0))
    held, stream = prepare(described, tmp_path), streamed(described, tmp_path)
    assert not np.array_equal(held.inputs["numbers"], stream.inputs["numbers"])
    for feature in stream.preprocessor.features:
        for plan in feature.numbers.values():
            if feature.column in ("distance", "far", "wind", "seats"):
                known = np.sort(table[feature.column].drop_null().to_numpy())
                for bound, fraction in ((plan.low, 0.02), (plan.high, 0.9), (plan.fill, 0.5)):
                    first, last = (np.searchsorted(known, bound, side) / len(known) for side in ("left", "right"))
                    assert first - 0.001 <= fraction <= last + 0.001
    assert np.abs(held.inputs["numbers"] - stream.inputs["numbers"])[:, :4].max() < 0.02


def test_a_part_that_is_done_is_not_done_again_and_nothing_stays(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described, made, real = spec(folder, sources=("cut-*.parquet",)), [], part_tasks._clean

    def fail_once(job, part, at):  # type: ignore[no-untyped-def]
        made.append(part.number)
        if made == [0, 1]:
            raise KeyboardInterrupt
        real(job, part, at)

    monkeypatch.setattr(part_tasks, "_clean", fail_once)
    with pytest.raises(KeyboardInterrupt):
        streamed(described, tmp_path)
    again = streamed(described, tmp_path)
    assert made == [0, 1, 1, 2]
    assert_same(prepare(described, tmp_path), again)
    assert not list((tmp_path / "parts").iterdir())


def test_arrays_are_memory_mapped_and_read_only(folder: Path, tmp_path: Path) -> None:
    prepared = streamed(spec(folder), tmp_path)
    for array in (*prepared.inputs.values(), *prepared.targets.values(), prepared.weights):
        assert not array.flags.writeable
        assert array.base is not None


def faults(spec: TableSpec, cache: Path) -> list[str]:
    with pytest.raises(UserError) as raised:
        streamed(spec, cache)
    return [str(each) for each in raised.value.faults]


BAD = {
    "a missing column": ({"drop": ("wnid",)}, "the table 't' has no column 'wnid'. Did you mean 'wind'?"),
    "an unknown step": ({"clean": (("mising", {}),)}, "Did you mean 'missing'?"),
    "a text that is no number": (
        {"columns": {"carrier": "number"}},
        "row 1 of row groups 0 to 4 of bad.parquet is no number",
    ),
    "one class": (
        {"targets": (TargetSpec("one", ("one",), "category"),)},
        "every label is 'a'; there is nothing to learn.",
    ),
    "no label": ({"targets": (TargetSpec("none", ("none",), "number"),)}, "'none' holds no label at all."),
    "a bad weight": ({"weight": "owed"}, "'owed' is -1.0 in row "),
    "an identifier": (
        {"sources": ("bad.parquet",), "targets": (), "weight": None},
        "'id' looks like an identifier or a free text",
    ),
    "a class that training lacks": ({"targets": (TargetSpec("rare", ("rare",), "category"),)}, "is of class"),
    "a split of an unknown value": (
        {"split": SplitSpec("column", "part", validation="validation", test="tset")},
        "no row of 'part' is 'tset'. Its values are 'test', 'train', 'validation'.",
    ),
    "shares that leave nothing": ({"split": SplitSpec(validation=0.5, test=0.5)}, "leave no training rows"),
    "an infinite value": ({}, "1 values of 'infinite' are infinite."),
    "nulls alone": ({}, "every value of 'none' is null. Drop it: drop: [none]."),
}


@pytest.fixture(scope="module")
def bad(table: pa.Table, folder: Path) -> Path:
    """The table with columns of which each has a fault."""
    wrong = {
        "id": [f"id {i}" for i in range(ROWS)],
        "one": ["a"] * ROWS,
        "none": pa.nulls(ROWS, pa.float64()),
        "rare": ["x"] * (ROWS - 1) + ["y"],
        "owed": [1.0] * (ROWS - 5) + [-1.0] * 5,
        "infinite": [1.0] * (ROWS - 1) + [np.inf],
    }
    for name, values in wrong.items():
        table = table.append_column(name, pa.array(values))
    parquet.write_table(table, folder / "bad.parquet", row_group_size=4_000)
    return folder


@pytest.mark.parametrize("name", BAD)
def test_faults_are_told_as_of_a_table_in_memory(bad: Path, tmp_path: Path, name: str) -> None:
    changes, words = BAD[name]
    told = faults(spec(bad, **({"sources": ("bad.parquet",)} | changes)), tmp_path)
    assert any(words in each for each in told), told


def test_a_later_block_of_another_type_is_told_with_its_row(tmp_path: Path) -> None:
    rows = [f"{i % 7},{i}" for i in range(400_000)]
    rows[350_000] = "x,1"
    (tmp_path / "t.csv").write_text("a,y\n" + "\n".join(rows) + "\n")
    described = TableSpec("t", ("t.csv",), tmp_path, targets=(TargetSpec("y", ("y",), "number"),))
    (told,) = faults(described, tmp_path)
    assert told.startswith(f"{tmp_path / 't.csv'}:350002: the value of 'a' does not fit (to int64: invalid value 'x')")
    assert "its type was decided by the first 1 MB of the file" in told
    assert "columns: {a: number}" in told


def test_a_broken_file_is_told_like_one_that_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1" + bytes(2000))
    (told,) = faults(TableSpec("t", ("t.parquet",), tmp_path), tmp_path)
    assert "this is no complete Parquet file; is it truncated?" in told


def test_a_small_table_is_held_in_memory(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(preparation, "stream", lambda *given: asked.append(given))
    prepared = prepare(spec(folder), tmp_path)
    assert not asked
    assert {each.name for each in (tmp_path / "tables" / prepared.fingerprint).glob("rows*")} == {"rows.arrow"}


@pytest.mark.parametrize("encoder", ["vocabulary", "hashing"])
def test_spelled_and_filled_levels_are_the_same_in_a_stream(folder: Path, tmp_path: Path, encoder: str) -> None:
    steps = (
        ("levels", {"case": True, "null": ["B"], "same": {"a": "c"}}),
        ("missing", {"levels": "most_frequent"}),
        ("rare_levels", {}),
    )
    described = dataclasses.replace(spec(folder), clean=steps, encode={"carrier": (encoder, {})})
    found = prepare(described, tmp_path)
    assert_same(found, streamed(described, tmp_path))
    feature = next(each for each in found.preprocessor.features if each.column == "carrier")
    assert feature.category is not None
    assert feature.category.fill in "cdefgh"
    codes = found.matrices["categories"][:, found.preprocessor.category_names.index("carrier")]
    assert codes.min() > 0  # nothing is unknown, and what is missing is filled
