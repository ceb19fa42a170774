"""Every fault of a table, in the words a person reads, with its place, and all at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polygraft.core.errors import UserError
from polygraft.data.preparation import prepare
from polygraft.data.spec import SplitSpec, TableSpec, TargetSpec

LATE = TargetSpec("late", ("late",), "category")
DELAY = TargetSpec("delay", ("delay",), "number")


def at(path: str) -> str:
    """A place for each path, as a suite's loader would give it."""
    return f"suite.yaml:{len(path)}"


def words(folder: Path, frame: pd.DataFrame, **changes: object) -> list[str]:
    frame.to_parquet(folder / "t.parquet")
    spec = TableSpec("t", ("t.parquet",), folder, targets=(LATE, DELAY), where=at)
    with pytest.raises(UserError) as error:
        prepare(dataclasses.replace(spec, **changes), folder / "cache")  # type: ignore[arg-type]
    assert not list((folder / "cache" / "tables").iterdir()) if (folder / "cache" / "tables").exists() else True
    for fault in error.value.faults:
        path = fault.what.split(":")[0]
        inside = path.removeprefix("data.t").removeprefix(".")
        assert fault.where == at(f"targets.{path.split('.')[1]}" if path.startswith("tasks.") else inside)
    return [fault.what for fault in error.value.faults]


def test_columns_that_are_not_there(folder: Path, frame: pd.DataFrame) -> None:
    found = words(
        folder,
        frame,
        columns={"mnth": "category"},
        drop=("tail",),
        encode={"carier": ("vocabulary", {})},
        weight="w",
        split=SplitSpec(by="time", column="departure"),
        targets=(dataclasses.replace(LATE, columns=("lat",)), DELAY),
    )
    assert found == [
        "data.t.columns.mnth: the table 't' has no column 'mnth'. Did you mean 'month'?",
        "data.t.drop.0: the table 't' has no column 'tail'.",
        "data.t.encode.carier: the table 't' has no column 'carier'. Did you mean 'carrier'?",
        "tasks.late.target: the table 't' has no column 'lat'. Did you mean 'late'?",
        "data.t.weight: the table 't' has no column 'w'.",
        "data.t.split.column: the table 't' has no column 'departure'. Did you mean 'departs'?",
    ]


def test_a_target_that_is_also_a_feature(folder: Path, frame: pd.DataFrame) -> None:
    found = words(folder, frame, columns={"late": "category"}, encode={"delay": ("standard", {})}, weight="delay")
    assert found == [
        "data.t.columns.late: 'late' is the target of task 'late', so it is no feature. Take it out of columns.",
        "data.t.encode.delay: 'delay' is the target of task 'delay', so it is no feature. Take it out of encode.",
        "data.t.weight: 'delay' is the target of task 'delay' too.",
        f"data.t.weight: 'delay' is {frame['delay'][frame['delay'].fillna(-1).lt(0).idxmax()]} in row "
        f"{frame['delay'].fillna(-1).lt(0).idxmax() + 1}; weights are finite and not negative.".replace("nan", "None"),
    ]


@pytest.mark.parametrize(
    ("column", "kind", "values", "wanted"),
    [
        ("wind", "number", "strong", "'wind' is declared a number, but 'strong' in row 8 is no number."),
        ("holiday", "boolean", "maybe", "'holiday' is declared a boolean, but 'maybe' in row 8 is no boolean (true/false, yes/no, 1/0)."),
        ("departs", "timestamp", "noon", "'departs' is declared a timestamp, but 'noon' in row 8 is no timestamp (2013-01-31 or 2013-01-31T23:59:59)."),
    ],
)  # fmt: skip
def test_values_that_do_not_fit_their_kind(
    folder: Path, frame: pd.DataFrame, column: str, kind: str, values: str, wanted: str
) -> None:
    frame[column] = frame[column].astype(str).replace("nan", None)
    frame.loc[7, column] = values
    mend = "Mend the values, or declare another kind."
    assert words(folder, frame, columns={column: kind}) == [f"data.t.columns.{column}: {wanted} {mend}"]


def test_a_number_that_is_no_boolean(folder: Path, frame: pd.DataFrame) -> None:
    (found,) = words(folder, frame, columns={"month": "boolean"})
    assert "is neither 0 nor 1 (" in found


def test_columns_that_hold_nothing_or_too_much(folder: Path, frame: pd.DataFrame) -> None:
    frame["empty"] = None
    frame["id"] = [f"flight {i}" for i in range(len(frame))]
    frame["pair"] = [{"a": 1}] * len(frame)
    assert words(folder, frame) == [
        "data.t.columns.empty: every value of 'empty' is null. Drop it: drop: [empty].",
        "data.t.columns.id: 'id' looks like an identifier or a free text: 400 levels in 400 values. "
        "Drop it: drop: [id]; or say what it is: columns: {id: category}, or {id: text}.",
        "data.t.columns.pair: 'pair': values of type struct<a: int64> are no feature. Drop it: drop: [pair].",
    ]


def test_infinite_values(folder: Path, frame: pd.DataFrame) -> None:
    frame.loc[[3, 5], "wind"] = [np.inf, -np.inf]
    frame.loc[4, "delay"] = np.inf
    mend = "Make them null, or drop the column: drop: [wind]."
    assert words(folder, frame, targets=(LATE,), drop=("delay",)) == [
        f"data.t.columns.wind: 2 values of 'wind' are infinite. {mend}"
    ]
    assert words(folder, frame, drop=("wind",)) == [
        "tasks.delay.target: 1 labels of 'delay' are infinite. Make them null."
    ]


def test_a_split_that_leaves_a_class_or_a_task_without_a_label(folder: Path, frame: pd.DataFrame) -> None:
    early = np.argsort(np.asarray(frame["departs"]))
    frame["late"] = None
    frame.loc[early[:280], "late"] = np.where(np.arange(280) % 2, "yes", "no")
    frame.loc[early[280:], "late"] = "cancelled"
    frame.loc[early[:100], "delay"] = 1.0
    frame.loc[early[100:], "delay"] = np.nan
    mend = "Change split: (by, shares or seed), or merge the class."
    assert words(folder, frame, split=SplitSpec(by="time", column="departs", validation=0.1, test=0.2)) == [
        f"tasks.late.target: no training row is of class 'cancelled'. {mend}",
        f"tasks.late.target: no validation row is of class 'no', 'yes'. {mend}",
        f"tasks.late.target: no test row is of class 'no', 'yes'. {mend}",
        f"tasks.delay.target: no validation row has a label. {mend}",
        f"tasks.delay.target: no test row has a label. {mend}",
    ]


def test_targets_that_cannot_be_learnt(folder: Path, frame: pd.DataFrame) -> None:
    frame["late"] = "no"
    frame["delay"] = np.nan
    assert words(folder, frame) == [
        "tasks.late.target: every label is 'no'; there is nothing to learn.",
        "tasks.delay.target: 'delay' holds no label at all.",
    ]


def test_labels_that_are_no_numbers(folder: Path, frame: pd.DataFrame) -> None:
    frame["delay"] = frame["delay"].astype(str).replace("nan", None)
    frame.loc[2, "delay"] = "long"
    assert words(folder, frame) == ["tasks.delay.target: 'long' in row 3 is no number."]


def test_splits_that_make_no_sense(folder: Path, frame: pd.DataFrame) -> None:
    frame["part"] = np.where(np.arange(len(frame)) % 5, "train", "test")
    by_part = SplitSpec(by="column", column="part", validation=0.1, test="tset")
    assert words(folder, frame, split=by_part) == [
        "data.t.split.test: no row of 'part' is 'tset'. Its values are 'test', 'train'."
    ]
    assert words(folder, frame, split=SplitSpec(test=0.8, validation=0.3)) == [
        "data.t.split.test: 0.8 and validation 0.3 leave no training rows."
    ]
    assert words(folder, frame, split=SplitSpec(test=20)) == [
        "data.t.split.test: a share is a number from 0 to below 1, not 20."
    ]
    assert words(folder, frame, split=SplitSpec(by="group")) == [
        "data.t.split: by: group needs column:, the column to split by."
    ]
    frame.loc[0, "departs"] = None
    assert words(folder, frame, split=SplitSpec(by="time", column="departs")) == [
        "data.t.split.column: 1 rows have no time, so they belong nowhere."
    ]


def test_plugins_and_kinds_that_are_not_known(folder: Path, frame: pd.DataFrame) -> None:
    found = words(
        folder,
        frame,
        clean=(("mising", {}), ("outliers", {"low": 2})),
        encode={"wind": ("vocabulary", {}), "month": ("standart", {})},
        columns={"carrier": "tekst"},
    )
    assert [each.split(" `")[0] for each in found] == [
        "data.t.columns.carrier: no kind is called 'tekst'; there are number, category, boolean, timestamp, text, list, image.",
        "data.t.clean.0.name: no cleaning step is called 'mising'. Did you mean 'missing'?",
        "data.t.clean.1.low: takes a number >= 0 and <= 0.5, not 2.",
        "data.t.encode.month.name: no encoder is called 'standart'. Did you mean 'standard'?",
        "data.t.encode.wind: 'vocabulary' does not encode a number, which 'wind' is. These do: log, quantile_normal, robust, standard.",
    ]


def test_files_that_are_not_there_are_faults_of_the_source(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        prepare(TableSpec("t", ("a.csv", "b*.csv"), tmp_path, where=at), tmp_path / "cache")
    assert str(error.value).replace(str(tmp_path) + "/", "").splitlines() == [
        "suite.yaml:6: data.t.source: a.csv: there is no such file.",
        "suite.yaml:6: data.t.source: b*.csv: no file looks like this.",
    ]


def test_a_table_whose_columns_are_all_spoken_for(folder: Path, frame: pd.DataFrame) -> None:
    assert words(folder, frame[["late", "delay"]]) == ["data.t: no column is left to be a feature."]
