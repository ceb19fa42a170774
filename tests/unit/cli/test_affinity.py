"""`polygraft affinity` on the toy suite, from the command to the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import toy_suite
from polygraft.cli.main import run as polygraft


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    toy_suite.write_table(tmp_path)
    (tmp_path / "suite.yaml").write_text(json.dumps(toy_suite.RAW))
    return tmp_path


def test_one_run_is_measured_drawn_and_never_made_again(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["affinity", "suite.yaml", "--json", "--set", "train.steps=60", "--set", "workers.count=2"]
    assert polygraft(command) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert "1 worker in place of 2" in told.err
    assert (found["measured"], found["looks"]) == (6, 2)
    assert found["agreement"] > 0.9
    assert found["groups"] == [["late"], ["delay"]]
    assert found["score"] == 0
    page = Path(found["page"])
    assert "late onto delay" in page.read_text()
    checkpoints = list(page.parent.rglob("manifest.json"))
    assert not checkpoints, "what outlives the attempt could be gone on from without its measurements"
    before = (page.parent / "metrics.jsonl").read_text()

    assert polygraft([*command, "--groups", "1"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["groups"] == [["late", "delay"]]
    assert again["first_order"] == found["first_order"]
    assert (page.parent / "metrics.jsonl").read_text() == before

    assert polygraft(["affinity", "suite.yaml", *command[3:]]) == 0
    assert "agreement with 2 true look-aheads" in capsys.readouterr().out


@pytest.mark.parametrize("groups", ["0", "3"])
def test_groups_out_of_range_are_refused_before_anything_is_run(
    here: Path, capsys: pytest.CaptureFixture[str], groups: str
) -> None:
    assert polygraft(["affinity", "suite.yaml", "--groups", groups]) == 2
    assert f"--groups: 2 tasks make 1 to 2 groups, not {groups}." in capsys.readouterr().err
    assert not (here / "runs").exists()


def test_one_task_alone_has_no_affinity(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert polygraft(["affinity", "suite.yaml", "--set", "tasks.late.weight=0"]) == 2
    assert "between tasks" in capsys.readouterr().err
