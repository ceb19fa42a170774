"""Output: a table that lines up, and JSON that any reader takes."""

from __future__ import annotations

import json
import math

import pytest

from polygraft.cli.output import print_json, print_table


def test_numbers_stand_right_and_texts_left(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("task", "auc", "rows"), [("late", 0.76129, 1200), ("cancelled", 0.9, 7)])
    assert capsys.readouterr().out == "task          auc   rows\nlate       0.7613  1,200\ncancelled     0.9      7\n"


def test_a_table_without_rows_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a", "b"), [])
    assert capsys.readouterr().out == "a  b\n"


def test_what_json_lacks_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": math.nan, "b": [math.inf, 1.5, (2,)], "c": {"d": -math.inf, "e": "é"}})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5, [2]], "c": {"d": None, "e": "é"}}
