"""`polygraft train` in one process, killed or interrupted: the same command again ends as if nothing had happened."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import toy_suite
from polygraft.suite.identity import as_yaml
from polygraft.tracking.mlflow_tracker import quieten, tracking_uri
from waiting import until

pytestmark = pytest.mark.slow

STEPS = 300
SUITE = {"train": {"steps": STEPS, "log_every": 5, "save_every": 20, "evaluate_every": 50}}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite and its table; the module's runs share a cache and an MLflow."""
    folder = tmp_path_factory.mktemp("killed")
    toy_suite.write_table(folder)
    (folder / "suite.yaml").write_text(as_yaml(toy_suite.toy(folder, **SUITE)))
    return folder


@pytest.fixture(scope="module")
def undisturbed(home: Path) -> dict[str, object]:
    """What a run that nothing disturbed says of itself."""
    return finished(begin(home, "undisturbed"))


def begin(home: Path, run: str) -> subprocess.Popen[str]:
    """`polygraft train` of the run, in a process of its own."""
    command = [Path(sys.executable).with_name("polygraft"), "train", "suite.yaml", "--run", run, "--no-register"]
    return subprocess.Popen([*command, "--json"], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> dict[str, object]:
    out, words = process.communicate(timeout=300)
    assert process.returncode == 0, words
    told: dict[str, object] = json.loads(out)
    return told


def strike(process: subprocess.Popen[str], number: signal.Signals, moment: Callable[[], bool]) -> tuple[int, str]:
    """Send a signal at a moment; the exit code and what was printed."""
    try:
        assert until(lambda: moment() or process.poll() is not None, 120)
        assert process.poll() is None, f"the run was over before it was struck: {process.communicate()[1]}"
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out


def reached(home: Path, run: str, step: int) -> Callable[[], bool]:
    """Whether the journal tells of a step so late."""
    journal = home / "runs/toy" / run / "metrics.jsonl"

    def condition() -> bool:
        return journal.exists() and any(
            json.loads(line)["step"] >= step
            for line in journal.read_text().splitlines(keepends=True)
            if line[-1] == "\n"
        )

    return condition


def assert_as_if_nothing_had_happened(home: Path, told: dict[str, object], undisturbed: dict[str, object]) -> None:
    mine, yours = home / "runs/toy" / str(told["run_id"]), home / "runs/toy/undisturbed"
    last = f"checkpoints/step-{STEPS:08d}"
    parts = [f"{last}/{part}.safetensors" for part in ("weights", "optimizer", "balancer")]
    for name in (*parts, "model/weights.safetensors", "metrics.jsonl"):
        assert (mine / name).read_bytes() == (yours / name).read_bytes(), name
    for key in ("metrics", "validation", "step", "status"):
        assert told[key] == undisturbed[key], key


def test_killed_again_and_again_it_ends_with_the_same_bits_and_history(home, undisturbed):
    """Before the first checkpoint, in the middle, and close to the end."""
    for step in (5, 120, 250):
        code, out = strike(begin(home, "killed"), signal.SIGKILL, reached(home, "killed", step))
        assert (code, out) == (-signal.SIGKILL, "")
    told = finished(begin(home, "killed"))
    assert_as_if_nothing_had_happened(home, told, undisturbed)
    assert _history(home, told) == _history(home, undisturbed), "MLflow tells another history"


def test_killed_between_its_end_and_its_publication_it_takes_no_further_step(home, undisturbed):
    folder = home / "runs/toy/late"
    strike(begin(home, "late"), signal.SIGKILL, (folder / "result.json").exists)
    steps = (folder / "system.jsonl").read_text().count("samples_per_second")
    told = finished(begin(home, "late"))
    assert (folder / "system.jsonl").read_text().count("samples_per_second") == steps, "it took steps again"
    assert_as_if_nothing_had_happened(home, told, undisturbed)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_saves_and_goes_on_where_it_was(home, undisturbed, number, code):
    run = f"interrupted-{code}"
    left, out = strike(begin(home, run), number, reached(home, run, 100))
    assert left == code
    told = json.loads(out)
    assert told["status"] == "killed"
    assert 100 <= told["step"] < STEPS
    saved = home / "runs/toy" / run / "checkpoints" / f"step-{told['step']:08d}"
    assert (saved / "manifest.json").exists(), "the step at which it was interrupted is not saved"
    assert_as_if_nothing_had_happened(home, finished(begin(home, run)), undisturbed)


def test_a_finished_run_is_reprinted_in_no_time(home, undisturbed):
    began = time.monotonic()
    assert finished(begin(home, "undisturbed")) == undisturbed
    assert time.monotonic() - began < 60
    assert json.loads((home / "runs/toy/undisturbed/attempt.json").read_text())["number"] == 2


def test_nothing_half_written_stays(home, undisturbed):
    assert undisturbed["status"] == "finished"
    left = [path for path in (home / "runs").rglob("*") if path.name.endswith((".partial", ".retired"))]
    assert left == []


def _history(home: Path, told: dict[str, object]) -> dict[str, list[tuple[int, float]]]:
    """Every promised metric of the run as MLflow keeps it: (step, value), in order."""
    quieten()
    from mlflow import MlflowClient

    uri, _ = tracking_uri(None, {}, None, home / "runs")
    client = MlflowClient(uri)
    keys = client.get_run(str(told["mlflow_run_id"])).data.metrics
    return {
        key: [(point.step, point.value) for point in client.get_metric_history(str(told["mlflow_run_id"]), key)]
        for key in keys
        if not key.startswith("system/")
    }
