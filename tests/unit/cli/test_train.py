"""`train`: options to the launch, the result to stdout, its end to the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polygraft.assembly.run import Run
from polygraft.cli.main import run as polygraft
from polygraft.distributed import launch
from polygraft.distributed.endings import Failed, Interrupted

SUITE = "{suite: toys, data: {t: {source: t.csv}}, tasks: {y: {data: t, target: y, objective: regression}}, train: {steps: 9}}"


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """What the launch was given; `launched["outcome"]` is what it comes to."""
    monkeypatch.chdir(tmp_path)
    Path("suite.yaml").write_text(SUITE)
    folder = tmp_path / "runs/toys/one"
    folder.mkdir(parents=True)
    (folder / "report.html").touch()
    run = Run(
        "one",
        folder,
        "finished",
        9,
        {"y/r2": 0.9, "y/mae": float("nan")},
        {"y/r2": 0.8},
        "m1",
        "models:/toys/1",
        3.25,
        1000.5,
    )
    given = {"outcome": run}

    def train(suite, **options):
        given.update(options, suite=suite)
        if isinstance(given["outcome"], BaseException):
            raise given["outcome"]
        return given["outcome"]

    monkeypatch.setattr(launch, "train", train)
    return given


def test_the_table_says_how_to_look_at_the_run(launched, capsys):
    assert polygraft(["train", "suite.yaml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["task", "metric", "test", "validation"]
    assert lines[1].split() == ["y", "r2", "0.9", "0.8"]
    assert lines[4] == "run      one, 9 steps, 3.2 s, 1,000 rows/s, 0.0% of it waiting for data"
    assert lines[5] == "model    models:/toys/1"
    assert lines[6] == "report   runs/toys/one/report.html"
    assert lines[7].startswith("MLflow   ")
    assert "mlflow ui --backend-store-uri sqlite:///" in lines[7]


def test_json_is_one_object_with_the_promised_keys(launched, capsys):
    assert polygraft(["train", "suite.yaml", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {
        "run_id",
        "mlflow_run_id",
        "run_dir",
        "status",
        "step",
        "metrics",
        "validation",
        "model_uri",
        "seconds",
    } <= told.keys()
    assert told["samples_per_second"] == 1000.5
    assert told["metrics"] == {"y/r2": 0.9, "y/mae": None}


def test_options_reach_the_launch(launched):
    options = ["--run", "one", "--from", "zero", "--address", "head:1", "--no-register", "--tracking", "http://x"]
    assert polygraft(["train", "suite.yaml", *options, "--workers", "3", "--set", "seed=5"]) == 0
    expected = {
        "run": "one",
        "resume": False,
        "from_run": "zero",
        "address": "head:1",
        "register": False,
        "tracking": "http://x",
    }
    assert {key: launched[key] for key in expected} == expected
    suite = launched["suite"]
    assert (suite.seed, suite.workers.count, suite.train.shards) == (5, 3, 3)


def test_a_stopped_run_says_how_to_go_on(launched, capsys):
    stopped = Run("one", Path("runs/toys/one"), "killed", 7)
    launched["outcome"] = Interrupted(15, stopped)
    assert polygraft(["train", "suite.yaml"]) == 143
    told = capsys.readouterr().out
    assert told == "one was stopped at step 7, saved. Go on: polygraft train suite.yaml --run one\n"
    launched["outcome"] = Interrupted(2, stopped)
    assert polygraft(["train", "suite.yaml", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["status"] == "killed"
    launched["outcome"] = Interrupted(2)
    assert polygraft(["train", "suite.yaml"]) == 130


def test_a_failed_run_says_why(launched, capsys):
    launched["outcome"] = Failed("the loss of 'y' is NaN at step 7", Run("one", Path("runs/toys/one"), "failed", 5))
    assert polygraft(["train", "suite.yaml"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "the loss of 'y' is NaN at step 7\n")
    assert polygraft(["train", "suite.yaml", "--json"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["status"] == "failed"
    assert told.err == "the loss of 'y' is NaN at step 7\n"


def test_zero_workers_are_refused(launched, capsys):
    assert polygraft(["train", "suite.yaml", "--workers", "0"]) == 2
    assert "workers.count: takes a number of at least 1, not 0." in capsys.readouterr().err
