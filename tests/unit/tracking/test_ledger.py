"""The ledger of a study: append-only, whole lines, the last word of a run counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from polygraft.core.errors import RunFailed
from polygraft.tracking.ledger import Ledger


def test_what_was_added_is_there_for_another_process(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "deep" / "ledger.jsonl")
    assert ledger.entries() == {}
    ledger.add({"run": "b", "metrics": {"a/auc": 0.1 + 0.2}})
    ledger.add({"run": "a"})
    assert Ledger(ledger.path).entries() == {"b": {"run": "b", "metrics": {"a/auc": 0.1 + 0.2}}, "a": {"run": "a"}}


def test_the_last_word_of_a_run_counts(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for status in ("failed", "finished"):
        ledger.add({"run": "a", "status": status})
    assert ledger.entries() == {"a": {"run": "a", "status": "finished"}}


def test_a_torn_line_is_as_if_it_had_never_been_begun(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.add({"run": "a"})
    with ledger.path.open("a") as file:
        file.write('{"run": "b", "st')
    assert list(ledger.entries()) == ["a"]
    ledger.add({"run": "c"})
    assert list(ledger.entries()) == ["a", "c"]


def test_a_damaged_line_is_told_with_its_number(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.path.write_text('{"run": "a"}\nnonsense\n')
    with pytest.raises(RunFailed, match=r"ledger\.jsonl:2: this line is not of a ledger"):
        ledger.entries()
