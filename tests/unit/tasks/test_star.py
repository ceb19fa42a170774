"""The pupils' table: a row each, scores missing where they were, and nothing that names a pupil."""

from __future__ import annotations

from types import ModuleType

import pandas as pd
import pyarrow as pa
import pytest


@pytest.fixture(scope="module")
def table(star: ModuleType) -> pa.Table:
    return star.star()


def test_every_pupil_is_a_row_and_about_half_of_each_score_is_missing(star: ModuleType, table: pa.Table) -> None:
    assert len(table) == 11_598
    assert [table[score].null_count for score in star.SCORES] == [
        5_809,
        5_727,
        5_202,
        4_998,
        5_521,
        5_533,
        5_598,
        5_521,
    ]
    assert "rownames" not in table.column_names


def test_prepared_by_hand(star: ModuleType) -> None:
    raw = pd.DataFrame(
        {
            "rownames": [7, 8],
            "birth": ["1979 Q4", None],
            "stark": ["small", None],
            "star1": ["small", None],
            "star2": [None, "regular"],
            "star3": [None, None],
        }
    )
    made = star.prepared(raw)
    assert made.born[0] == 1979.75
    assert pd.isna(made.born[1])
    assert made.years.tolist() == [2, 1]
