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
    command = ["affinity", "suite.yaml", "--json", "--set", "train.steps=60"]
    assert polygraft(command) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert "131 rows a step = 1 worker x 131" in told.err
    assert (found["measured"], found["looks"]) == (6, 2)
    assert found["agreement"]["looks"] == 1
    assert (found["agreement"]["mean"], found["agreement"]["worst"]) == (None, None), "two pairs tell no correlation"
    assert found["groups"] == [["late"], ["delay"]]
    assert found["score"] == 0
    page = Path(found["page"])
    assert page.parent.parent.name == "toy-affinity", "a run of the suite's own name could be resumed by `train`"
    assert "late onto delay" in page.read_text()
    before = (page.parent / "metrics.jsonl").read_text()

    assert polygraft([*command, "--groups", "1"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["groups"] == [["late", "delay"]]
    assert again["first_order"] == found["first_order"]
    assert (page.parent / "metrics.jsonl").read_text() == before

    assert polygraft(["affinity", "suite.yaml", *command[3:]]) == 0
    table = capsys.readouterr().out
    assert "6 measurements, 2 with a true look-ahead; after the first step they agree in " in table
    assert table.splitlines()[-1] == f"page {page.relative_to(here)}"


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


def test_steps_of_another_kind_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "plugins/training/steps").mkdir(parents=True)
    (here / "plugins/training/steps/idle.py").write_text(IDLE)
    assert polygraft(["affinity", "suite.yaml", "--set", "train.step=idle"]) == 2
    assert "affinity is measured beside joint steps, and this suite's are idle." in capsys.readouterr().err


IDLE = '''
"""A toy, nobody 2026."""
from polygraft.training.steps.base import Step

class Idle(Step):
    """Learns nothing."""
    def __init__(self, learning, clock, /) -> None: ...
    def update(self, state, stream): ...
'''
