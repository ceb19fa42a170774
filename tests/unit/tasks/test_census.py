"""The census' table keeps the official split and the answers as they were given, and no target among its features."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest


@pytest.fixture(scope="module")
def table(census: ModuleType) -> pa.Table:
    return census.census()


def test_the_official_split(table: pa.Table) -> None:
    assert {each["values"]: each["counts"] for each in pc.value_counts(table["part"]).to_pylist()} == {
        "train": 199_523,
        "test": 99_762,
    }


def test_the_targets(table: pa.Table) -> None:
    test = table.filter(pc.equal(table["part"], "test"))
    assert pc.mean(test["income"].cast("int8")).as_py() == pytest.approx(0.062, abs=1e-3)
    assert pc.mean(test["never_married"].cast("int8")).as_py() == pytest.approx(0.433, abs=2e-3)
    assert pc.count_distinct(test["education"]).as_py() == 17
    assert "marital_status" not in table.column_names


def test_na_is_an_answer_and_a_question_mark_is_none(table: pa.Table) -> None:
    assert "NA" in pc.unique(table["hispanic_origin"]).to_pylist()
    assert table["hispanic_origin"].null_count == 0
    missing = {name: table[name].null_count for name in table.column_names if table[name].null_count}
    assert set(missing) == {
        *("prev_state", "mig_msa", "mig_reg", "mig_within_reg", "mig_sunbelt"),
        *("father_birth", "mother_birth", "self_birth"),
    }
    assert missing["mig_msa"] == 149_642


def test_prepared_by_hand(census: ModuleType) -> None:
    row = dict.fromkeys(census.NAMES, 0) | {
        "income": "50000+.",
        "marital_status": "Never married",
        "capital_gains": 99_999,
    }
    made = census.prepared(pd.DataFrame([row, row | {"income": "- 50000.", "marital_status": "Widowed"}]))
    assert made.income.tolist() == [True, False]
    assert made.never_married.tolist() == [True, False]
    assert made.capital_gains[0] == pytest.approx(np.log(100_000))
    assert made.capital_gains_answer.tolist() == ["99999", "99999"]
