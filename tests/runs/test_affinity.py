"""`polygraft affinity`, killed, interrupted, on any number of workers: affinities and weights have the same bits."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import toy_suite
from gloo_ranks import begin_each, take_part_in_each
from polygraft.assembly.job import lay_out
from polygraft.cli.main import run as polygraft
from polygraft.studies.affinity import measuring
from polygraft.suite.identity import as_yaml
from polygraft.suite.schema import Suite
from waiting import until, when

pytestmark = pytest.mark.slow
STEPS, FEW = 101, 12
COMMAND = ["affinity", "suite.yaml", "--json"]
Answer = dict[str, object]


def suite(folder: Path, steps: int = STEPS) -> Suite:
    """Three tasks, so that a correlation over pairs can be told."""
    tasks = {"early": {"data": "toy", "target": "a", "objective": "regression"}}
    train = {"steps": steps, "log_every": 5, "save_every": 20, "evaluate_every": 50}
    return toy_suite.toy(folder, tasks=tasks, train=train)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("affinity")
    toy_suite.write_table(folder)
    for place in ("undisturbed", "disturbed"):
        (folder / place).mkdir()
        (folder / place / "suite.yaml").write_text(as_yaml(suite(folder)))
        (folder / place / "toy.csv").symlink_to(folder / "toy.csv")
    return folder


def test_killed_then_interrupted_it_goes_on_and_ends_with_the_same_bits(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is killed while MLflow makes its database, and says the second end with its exit code, under a bar that drew how far it was."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(home / "undisturbed")
    assert polygraft(COMMAND) == 0
    undisturbed: Answer = json.loads(capsys.readouterr().out)
    monkeypatch.chdir(home / "disturbed")
    assert killed(home / "disturbed", 30) == (-signal.SIGKILL, "")

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    when(lambda: reached(home / "disturbed", 65), lambda: os.kill(os.getpid(), signal.SIGINT))
    assert polygraft(COMMAND) == 130
    told: Answer = json.loads(capsys.readouterr().out)
    assert told["status"] == "killed"
    assert 65 <= int(str(told["step"])) < STEPS
    assert re.search(rf"6\d/{STEPS}  ━+─+  6\d%", terminal.getvalue())
    assert "stopping after this step, and saving" in terminal.getvalue()

    assert polygraft(COMMAND) == 0
    answer: Answer = json.loads(capsys.readouterr().out)
    assert_same_end(Path(str(answer["folder"])), Path(str(undisturbed["folder"])))
    assert said(answer) == said(undisturbed)
    assert answer["measured"] == 11
    assert json.loads((Path(str(answer["folder"])) / "attempt.json").read_text())["number"] == 3


def test_any_number_of_workers_and_another_run_find_the_same_affinities(home: Path) -> None:
    folders = {world: home / "toy" / f"of-{world}" for world in (1, 2, 3, 4)}
    for folder in folders.values():
        folder.mkdir(parents=True)
        lay_out(measuring(suite(home, FEW)), folder)
    others = [begin_each(rank, folders) for rank in (1, 2, 3)]
    take_part_in_each(0, folders)
    for each in others:
        each.join()
        assert each.exitcode == 0
    told = [key for line in history(folders[1]) for key in line if key.startswith("affinity/ahead/")]
    assert len(told) == 9
    for folder in folders.values():
        assert_same_end(folder, folders[1], FEW)


class Terminal(io.StringIO):
    """What was drawn on a screen."""

    def isatty(self) -> bool:
        return True


def killed(place: Path, step: int) -> tuple[int, str]:
    """The exit code of a process that is killed once the history is at a step, and what it printed."""
    command = [str(Path(sys.executable).with_name("polygraft")), *COMMAND]
    process = subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert until(lambda: reached(place, step) or process.poll() is not None, 120)
        assert process.poll() is None, f"it was over before it was killed: {process.communicate()[1]}"
        process.send_signal(signal.SIGKILL)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out


def reached(place: Path, step: int) -> bool:
    """Whether the history of the measurement there is at a step."""
    for journal in place.glob("runs/toy-affinity/affinity-*/metrics.jsonl"):
        lines = journal.read_text().splitlines(keepends=True)
        return any(json.loads(line)["step"] >= step for line in lines if line.endswith("\n"))
    return False


def history(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line)["values"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_same_end(mine: Path, yours: Path, steps: int = STEPS) -> None:
    last = f"checkpoints/step-{steps:08d}"
    parts = [f"{last}/{part}.safetensors" for part in ("weights", "optimizer", "balancer")]
    for name in (*parts, "metrics.jsonl"):
        assert (mine / name).read_bytes() == (yours / name).read_bytes(), name


def said(answer: Answer) -> Answer:
    """Without where it stands."""
    return {key: value for key, value in answer.items() if key not in ("folder", "page")}
