"""A table larger than its memory, cleaned by Ray tasks: the bytes are those of one process, whatever dies on the way."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import toys
from polygraft.core.errors import RunFailed, UserError
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.spec import SplitSpec, TableSpec, TargetSpec
from polygraft.data.streaming import Runner, one_by_one
from polygraft.distributed.ray_runner import RayRunner

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("ray_session")]
RAY = RayRunner(lambda: None, at_once=2)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four files of unequal length, a few missing values and levels, the last with one that the others lack."""
    folder = tmp_path_factory.mktemp("parts")
    chance = np.random.default_rng(0)
    for number, rows in enumerate((700, 300, 1, 999)):
        x = chance.normal(size=rows)
        frame = pd.DataFrame(
            {"x": np.where(chance.random(rows) < 0.1, np.nan, x), "word": chance.choice(list("abc"), rows)}
        )
        frame.loc[frame.index % 97 == 5, "word"] = f"only in {number}"
        frame["y"] = x + 0.1 * chance.normal(size=rows)
        frame.to_parquet(folder / f"part-{number}.parquet")
    return folder


def cleaned(home: Path, cache: Path, runner: Runner, files: str = "part-*.parquet") -> Prepared:
    split, targets = SplitSpec(validation=0.2, test=0.2), (TargetSpec("y", ("y",), "number"),)
    steps = (("missing", {}), ("outliers", {}), ("rare_levels", {"min_count": 2}))
    spec = TableSpec("t", (files,), home, clean=steps, split=split, targets=targets, memory=1)
    return prepare(spec, cache, runner)


def files_of(cache: Path) -> dict[str, bytes]:
    (table,) = (cache / "tables").glob("t-*")
    return {str(each.relative_to(table)): each.read_bytes() for each in table.rglob("*") if each.is_file()}


def test_tasks_write_the_bytes_of_one_process(home: Path, tmp_path: Path) -> None:
    alone, others = cleaned(home, tmp_path / "alone", one_by_one), cleaned(home, tmp_path / "ray", RAY)
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "alone")
    assert (others.rows, others.fingerprint) == (2000, alone.fingerprint)
    assert not list((tmp_path / "ray/parts").glob("*")), "parts were left behind"


def test_what_a_part_refuses_is_told_as_it_is(home: Path, tmp_path: Path) -> None:
    for file in home.glob("*.parquet"):
        frame = pd.read_parquet(file).astype({"x": object})
        if file.stem == "part-3":
            frame = pd.concat([frame] * 60, ignore_index=True)  # more than the block that decides on types
            frame.loc[59_900, "x"] = "many"
        frame.to_csv(tmp_path / f"{file.stem}.csv", index=False)
    told = []
    for name, runner in (("alone", one_by_one), ("ray", RAY)):
        with pytest.raises(UserError) as refused:
            cleaned(tmp_path, tmp_path / name, runner, "part-*.csv")
        told.append(str(refused.value))
    assert told[0] == told[1]
    assert "part-3.csv" in told[0]
    assert "many" in told[0]


def test_results_come_in_the_order_of_the_numbers_though_the_first_takes_longest() -> None:
    began = time.monotonic()
    assert list(RayRunner(lambda: None, at_once=4)(toys.slowest_first, range(4))) == [0, 1, 4, 9]
    assert time.monotonic() - began < 60


def test_a_killed_task_is_begun_again(tmp_path: Path) -> None:
    work = partial(toys.die_once, tmp_path)
    assert list(RAY(work, range(3))) == [0, 1, 2]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["0", "1", "2"]


def test_one_that_dies_every_time_ends_the_run() -> None:
    with pytest.raises(RunFailed, match="part 1 of a table died 4 times"):
        list(RAY(toys.die_at_one, range(2)))
