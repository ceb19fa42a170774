"""The names' table: each English one once, letter by letter, and what a language lacks is missing."""

from __future__ import annotations

from importlib import metadata
from types import ModuleType

import pytest


def test_a_name_stands_once_and_may_lack_a_language(translation: ModuleType) -> None:
    english = {"territories/GE": "Georgia", "city/X": "Georgia", "languages/ka": "Georgian"}
    rows = translation.prepared(english, {"de": {"territories/GE": "Georgien", "city/X": "?"}}).to_pylist()
    assert [row["english"] for row in rows] == ["Georgia", "Georgian"]
    assert ["".join(row["de"] or "-") for row in rows] == ["Georgien", "-"]
    assert rows[0]["letters"] == list("Georgia")
    assert {row["part"] for row in rows} <= {"train", "validation", "test"}


def test_all_names(translation: ModuleType) -> None:
    try:
        metadata.version("babel")
    except metadata.PackageNotFoundError:
        pytest.skip("needs babel: pip install babel==2.18.0")
    table = translation.names()
    assert len(table) == 1_797
    assert [table[each].null_count for each in translation.LANGUAGES] == [44, 16, 195, 28]
    assert max(len(row) for row in table["letters"].to_pylist()) < 60
