"""`check --data`: findings are no faults, one JSON object, a page that stands alone."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from polygraft.cli.main import run

SUITE = """\
suite: toys
data: {t: {source: a.csv}}
tasks: {a: {data: t, target: y, objective: regression}}
train: {steps: 20, batch_size: 8}
"""
VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">'


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


def test_names_and_levels_that_are_markup_stay_text(toys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "<script>alert('1')</script>"
    rows = [f"{i},{hostile if i % 2 else ''},{i % 7}" for i in range(80)]
    (toys / "a.csv").write_text("\n".join([f'n,"{hostile}</svg>",y', *rows]) + "\n")
    assert run(["check", "suite.yaml", "--data"]) == 0
    page = Path(capsys.readouterr().out.splitlines()[-1]).read_text()
    assert "<script" not in page
    document = ET.fromstring(
        page.removeprefix("<!doctype html>").replace('<meta charset="utf-8">', "").replace(VIEWPORT, "")
    )
    titles = [each.text for each in document.iter("figcaption")]
    assert titles.count(f"{hostile}</svg>") == 1
    assert {"n", "y", "Missing in the same rows, share of all"} <= set(titles)
    assert any(hostile in (each.text or "") for each in document.iter("title"))


def test_every_column_has_a_picture(toys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "suite.yaml", "--data", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    shown = {each["column"]: each for each in found["tables"][0]["distributions"]}
    assert list(shown) == ["n", "town", "y"]
    assert shown["town"]["levels"] == {"<b>": 60, "?": 21}
    assert sum(shown["y"]["counts"]) == 81
    page = Path(found["report"]).read_text()
    assert page.count("<rect") >= 7 + 2 + len(shown["n"]["counts"])


def test_a_fault_of_the_data_is_still_one(toys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (toys / "a.csv").write_text("n,town\n1,a\n")
    assert run(["check", "suite.yaml", "--data"]) == 2
    assert "has no column 'y'" in capsys.readouterr().err
