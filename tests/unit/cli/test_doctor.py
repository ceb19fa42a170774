"""`doctor`: what there is, and which of flag, environment, suite and default won."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polygraft.cli.main import run as polygraft
from polygraft.version import __version__


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys, *options: str) -> dict:
    assert polygraft(["doctor", "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def test_without_anything_set_the_defaults_win(capsys, here):
    found = told(capsys)
    assert found["polygraft"] == __version__
    assert found["ray"]["address"] == "local"
    assert found["ray"]["said by"] == "default"
    assert found["mlflow"] == {"uri": f"sqlite:///{here}/runs/mlflow.db", "said by": "default", "answers": "yes"}
    assert found["writable"][str(here / "runs")] is True
    assert found["machine"]["cpus"] >= 1
    assert {"hub", "rl", "tasks", "dev"} == found["extras"].keys()
    assert not (here / "runs").exists(), "looking must leave nothing behind"


def test_the_environment_wins_over_the_default_and_the_flag_over_both(capsys, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    found = told(capsys)
    assert (found["ray"]["address"], found["ray"]["said by"]) == ("127.0.0.1:9", "RAY_ADDRESS")
    assert found["ray"]["answers"].startswith("no: no Ray answers at '127.0.0.1:9'")
    assert (found["mlflow"]["uri"], found["mlflow"]["said by"]) == ("http://user:***@127.0.0.1:9", "environment")
    found = told(capsys, "--address", "127.0.0.1:8", "--tracking", "sqlite:///x.db")
    assert (found["ray"]["address"], found["ray"]["said by"]) == ("127.0.0.1:8", "--address")
    assert (found["mlflow"]["uri"], found["mlflow"]["said by"]) == ("sqlite:///x.db", "flag")


def test_the_suite_may_say_where_runs_are_tracked(capsys):
    suite = "{suite: t, data: {t: {source: t.csv}}, tasks: {y: {data: t, target: y, objective: regression}}, train: {steps: 1}"
    Path("suite.yaml").write_text(suite + ", tracking: {uri: 'sqlite:///mine.db'}, storage: elsewhere}")
    found = told(capsys, "--suite", "suite.yaml")
    assert (found["mlflow"]["uri"], found["mlflow"]["said by"]) == ("sqlite:///mine.db", "suite")
    assert str(Path("elsewhere").resolve()) in found["writable"]


def test_a_person_reads_lines(capsys):
    assert polygraft(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"polygraft   {__version__}"
    assert any(line.startswith("ray         address: local") for line in lines)
