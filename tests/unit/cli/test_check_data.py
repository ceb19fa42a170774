"""`check --data`: findings are no faults, one JSON object, a page that stands alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polygraft.cli.main import run

SUITE = """\
suite: toys
data: {t: {source: a.csv}}
tasks: {a: {data: t, target: y, objective: regression}}
train: {steps: 20, batch_size: 8}
"""


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suite.yaml").write_text(SUITE)
    rows = [f"{i},{'?' if i % 4 == 0 else '<b>'},{i % 7}" for i in range(80)]
    (tmp_path / "a.csv").write_text("\n".join(["n,town,y", *rows, rows[0]]) + "\n")
    return tmp_path


def test_findings_leave_the_exit_code_0_and_print_one_object(toys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "suite.yaml", "--data", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (table,) = found["tables"]
    assert (table["table"], table["rows"], table["columns"]) == ("t", 81, 3)
    figures = {each["check"]: each["figure"] for each in table["findings"]}
    assert (figures["suspicious_levels"], figures["duplicates"]) == (21, 1)
    assert Path(found["report"]).exists()


def test_the_page_says_what_is_printed_and_needs_nothing_else(toys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "suite.yaml", "--data"]) == 0
    told = capsys.readouterr().out
    page = Path(told.splitlines()[-1]).read_text()
    assert "21 values of town are '?'" in told
    assert "21 values of town are &#x27;?&#x27;" in page
    assert "<script" not in page
    assert "http" not in page


def test_a_fault_of_the_data_is_still_one(toys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (toys / "a.csv").write_text("n,town\n1,a\n")
    assert run(["check", "suite.yaml", "--data"]) == 2
    assert "has no column 'y'" in capsys.readouterr().err
