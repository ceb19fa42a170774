"""Laws of preparing: fitted on training rows alone, equal on any number of threads, made once, and kept whole."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polygraft.data import preparation
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.spec import SplitSpec, TableSpec, TargetSpec

TARGETS = (TargetSpec("late", ("late",), "category"), TargetSpec("delay", ("delay",), "number"))
CLEAN = (("missing", {}), ("outliers", {}), ("rare_levels", {"min_count": 3}))


def spec(folder: Path, **changes: object) -> TableSpec:
    base = TableSpec("t", ("t.parquet",), folder, columns={"month": "category"}, clean=CLEAN, targets=TARGETS, seed=1)
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def same(a: Prepared, b: Prepared) -> bool:
    arrays = [(each.weights, *each.inputs.values(), *each.targets.values(), *each.present.values()) for each in (a, b)]
    return all(np.array_equal(x, y) for x, y in zip(*arrays, strict=True)) and a.preprocessor == b.preprocessor


def test_what_is_prepared_has_the_shape_it_says(folder: Path, frame: pd.DataFrame) -> None:
    prepared = prepare(spec(folder), folder / "cache")
    assert prepared.inputs["numbers"].shape == (400, prepared.shape.numbers)
    assert prepared.inputs["numbers"].dtype == np.float32
    assert prepared.inputs["categories"].shape == (400, len(prepared.shape.categories))
    assert prepared.preprocessor.number_names[:4] == ["distance", "wind", "holiday", "departs age"]
    assert prepared.preprocessor.number_names[-1] == "wind is missing"
    assert prepared.preprocessor.category_names == ["carrier", "month"]
    assert prepared.shape.categories == tuple(prepared.inputs["categories"].max(0) + 1)
    assert prepared.present["late"].tolist() == frame["late"].notna().tolist()
    assert prepared.target_info["late"].levels == ("no", "yes")
    assert sorted(np.concatenate(list(prepared.splits.values())).tolist()) == list(range(400))
    assert [len(rows) for rows in prepared.splits.values()] == [280, 40, 80]
    assert prepared.schema["month"]["levels"] == sorted(map(str, range(1, 13)))
    assert prepared.schema["wind"] == {"kind": "number", "type": "double"}


def test_training_rows_are_standard_after_cleaning(folder: Path) -> None:
    prepared = prepare(spec(folder), folder / "cache")
    training = prepared.inputs["numbers"][prepared.splits["train"]][:, :2]
    assert np.allclose(training.mean(0), 0, atol=1e-5)
    assert np.allclose(training.std(0), 1, atol=1e-5)


def test_test_rows_change_no_plan(folder: Path, frame: pd.DataFrame) -> None:
    first = prepare(spec(folder), folder / "cache")
    for part in ("validation", "test"):
        rows = first.splits[part]
        frame.loc[rows[10:], ["distance", "wind"]] = 1e6
        frame.loc[rows[10:], "carrier"] = "ZZ"
        frame.loc[rows[10:], "month"] = 99
        frame.loc[rows[10:], "holiday"] = True
        frame.loc[rows[10:], "departs"] = pd.Timestamp("2099-01-01")
        frame.loc[rows[10:], "delay"] = 1e6
    frame.to_parquet(folder / "t.parquet")
    second = prepare(spec(folder), folder / "cache")
    assert second.fingerprint != first.fingerprint
    assert second.preprocessor == first.preprocessor
    assert second.target_info == first.target_info
    changed = first.splits["test"][10:]
    assert (second.inputs["categories"][changed] == 0).all()


def test_any_number_of_threads_prepares_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for threads in (1, 2, 3):
        monkeypatch.setattr("polygraft.data.kernels.threads.threads", lambda threads=threads: threads)
        made.append(prepare(spec(folder), folder / f"cache{threads}"))
    assert same(made[0], made[1])
    assert same(made[0], made[2])


def test_what_was_prepared_is_not_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare(spec(folder), folder / "cache")
    monkeypatch.setattr(preparation, "_make", lambda *_: pytest.fail("made again"))
    monkeypatch.setattr(preparation, "read", lambda *_: pytest.fail("read again"))
    second = prepare(spec(folder), folder / "cache")
    assert same(first, second)
    assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"drop": ("wind",)},
        {"clean": (("missing", {"fill": "mean"}),)},
        {"split": SplitSpec(test=0.3)},
        {"encode": {"month": ("vocabulary", {"max_levels": 3})}},
        {"columns": {}},
        {"weight": "distance"},
        {"targets": TARGETS[:1], "drop": ("delay",)},
    ],
)
def test_another_description_is_another_fingerprint(folder: Path, change: dict[str, object]) -> None:
    first, second = (prepare(each, folder / "cache") for each in (spec(folder), spec(folder, **change)))
    assert first.fingerprint != second.fingerprint


def test_the_name_of_the_folder_is_no_part_of_the_content(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "t.parquet").write_bytes((folder / "t.parquet").read_bytes())
    first, second = (prepare(spec(each), folder / "cache") for each in (folder, other))
    assert first.fingerprint == second.fingerprint


ELSEWHERE = """
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from polygraft.data.preparation import prepare
from polygraft.data.spec import TableSpec
folder = Path(sys.argv[1])
print(prepare(TableSpec("t", ("t.parquet",), folder, drop=("late",)), folder / "cache").fingerprint)
"""


def test_another_process_finds_the_copy_of_this_one(folder: Path) -> None:
    fingerprint = prepare(TableSpec("t", ("t.parquet",), folder, drop=("late",)), folder / "cache").fingerprint
    (kept,) = (folder / "cache" / "tables").iterdir()
    before = kept.stat().st_ino
    found = subprocess.check_output([sys.executable, "-c", ELSEWHERE, str(folder)], text=True, timeout=120)
    assert found.strip() == fingerprint == kept.name
    assert kept.stat().st_ino == before


def test_of_several_at_once_one_makes_it_and_the_others_wait(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = preparation._make
    monkeypatch.setattr(preparation, "_make", lambda *given: (made.append(1), time.sleep(0.2), make(*given)))
    with ThreadPoolExecutor(4) as pool:
        prepared = list(pool.map(lambda _: prepare(spec(folder), folder / "cache"), range(4)))
    assert len(made) == 1
    assert all(same(prepared[0], each) for each in prepared)


def test_nothing_half_written_is_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(preparation, "write_json", broken)
    with pytest.raises(OSError, match="full"):
        prepare(spec(folder), folder / "cache")
    assert not list((folder / "cache" / "tables").iterdir())


def test_arrays_are_mapped_and_cannot_be_written(folder: Path) -> None:
    prepared = prepare(spec(folder), folder / "cache")
    for array in (*prepared.inputs.values(), *prepared.targets.values(), prepared.weights):
        assert not array.flags.writeable
        assert not array.flags.owndata


def test_a_table_of_one_kind_has_an_empty_matrix_for_the_other(folder: Path) -> None:
    only = spec(folder, drop=("carrier", "month", "holiday", "departs"), columns={})
    prepared = prepare(only, folder / "cache")
    assert prepared.inputs["categories"].shape == (400, 0)
    assert prepared.shape.categories == ()


def test_what_is_kept_is_no_pickle(folder: Path) -> None:
    prepare(spec(folder), folder / "cache")
    files = [each for each in (folder / "cache").rglob("*") if each.is_file()]
    assert {each.suffix for each in files} == {".json", ".arrow"}
    for each in files:
        if each.suffix == ".json":
            json.loads(each.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
