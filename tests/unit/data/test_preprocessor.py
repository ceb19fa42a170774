"""The preprocessor encodes new rows as it encoded the table, from Arrow or pandas, before and after it was saved."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from polygraft.core.errors import UserError
from polygraft.data.encoders.vocabulary import Vocabulary
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.preprocessor import Preprocessor
from polygraft.data.spec import TableSpec, TargetSpec
from polygraft.data.targets import encode_labels

TARGETS = (TargetSpec("late", ("late",), "category"), TargetSpec("delay", ("delay",), "number"))


@pytest.fixture
def prepared(folder: Path) -> Prepared:
    return prepare(
        TableSpec("t", ("t.parquet",), folder, columns={"month": "category"}, targets=TARGETS), folder / "cache"
    )


def test_new_rows_are_encoded_as_the_table_was(prepared: Prepared, frame: pd.DataFrame, tmp_path: Path) -> None:
    prepared.preprocessor.save(tmp_path / "saved")
    loaded = Preprocessor.load(tmp_path / "saved")
    assert loaded == prepared.preprocessor
    features = frame.drop(columns=["late", "delay"])
    shuffled = features[features.columns[::-1]]
    for rows in (features, shuffled, pa.Table.from_pandas(features), frame):
        encoded = loaded.encode(rows)
        for name, array in prepared.inputs.items():
            assert np.array_equal(encoded[name], array)
    some = loaded.encode(features.iloc[17:23])
    assert np.array_equal(some["numbers"], prepared.inputs["numbers"][17:23])


def test_columns_are_the_raw_input(prepared: Prepared) -> None:
    kinds = {"distance": "number", "wind": "number", "carrier": "category", "month": "category"}
    assert prepared.preprocessor.columns == {**kinds, "holiday": "boolean", "departs": "timestamp"}


def test_levels_never_seen_become_unknown_and_are_counted(prepared: Prepared, frame: pd.DataFrame) -> None:
    frame.loc[:4, "carrier"] = "??"
    unknown: Counter[str] = Counter()
    encoded = prepared.preprocessor.encode(frame, unknown=unknown)
    assert (encoded["categories"][:5, 0] == 0).all()
    assert unknown == {"carrier": 5}


def test_a_null_has_a_level_of_its_own_where_training_saw_one(prepared: Prepared, frame: pd.DataFrame) -> None:
    carrier, month = (feature.category for feature in prepared.preprocessor.features if feature.category)
    assert (carrier.null, Vocabulary().mapping(carrier, [])[1]) == (True, 4)
    assert (month.null, Vocabulary().mapping(month, [])[1]) == (False, 0)
    frame["carrier"] = None
    frame["month"] = None
    assert set(map(tuple, prepared.preprocessor.encode(frame)["categories"].tolist())) == {(4, 0)}


def test_whole_numbers_that_pandas_made_floats_are_the_same_levels(prepared: Prepared, frame: pd.DataFrame) -> None:
    frame["month"] = frame["month"].astype(float)
    frame.loc[0, "month"] = np.nan
    codes = prepared.preprocessor.encode(frame)["categories"][1:, 1]
    assert np.array_equal(codes, prepared.inputs["categories"][1:, 1])


def test_all_that_is_wrong_with_the_rows_is_said_at_once(prepared: Prepared, frame: pd.DataFrame) -> None:
    bad = frame.rename(columns={"carrier": "carier"}).drop(columns=["month"]).assign(wind="strong")
    with pytest.raises(UserError) as error:
        prepared.preprocessor.encode(bad, where="new.csv")
    assert str(error.value).splitlines() == [
        "new.csv: the column 'carrier' (category) is missing. Did you mean 'carier'?",
        "new.csv: the column 'month' (category) is missing.",
        "new.csv: the column 'wind' is a number: 'strong' in row 1 is no number (400 values of 400 are).",
    ]


def test_infinite_values_are_refused(prepared: Prepared, frame: pd.DataFrame) -> None:
    frame.loc[3, "wind"] = np.inf
    with pytest.raises(UserError, match="infinite value, or one too large for 32 bits, in 'wind'"):
        prepared.preprocessor.encode(frame)


def test_no_rows_are_encoded_as_no_rows(prepared: Prepared, frame: pd.DataFrame) -> None:
    encoded = prepared.preprocessor.encode(frame.iloc[:0])
    assert encoded["numbers"].shape == (0, prepared.shape.numbers)
    assert encoded["categories"].shape == (0, 2)


def test_labels_of_new_rows_are_read_as_training_read_them(prepared: Prepared, frame: pd.DataFrame) -> None:
    table = pa.Table.from_pandas(frame)
    for task, target in prepared.target_info.items():
        values, present = encode_labels(target, table)
        assert np.array_equal(values, prepared.targets[task])
        assert np.array_equal(present, prepared.present[task])
    with pytest.raises(UserError, match="task 'late' needs the column 'late' for its labels"):
        encode_labels(prepared.target_info["late"], table.drop_columns(["late"]))
