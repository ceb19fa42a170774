"""Two Ray workers end with the bits of one process, also when one of them is killed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

import toy_suite
from polygraft.assembly.run import Run
from polygraft.distributed import work
from polygraft.distributed.launch import train
from waiting import until, when, worker_pids

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("ray_session")]
LONG = {"steps": 200}


@pytest.fixture(scope="module")
def undisturbed(home: Path) -> Run:
    """A run of one process that nothing disturbed."""
    before = Path.cwd()
    os.chdir(home)
    try:
        return train(toy_suite.toy(home, train=LONG), run="undisturbed", register=False, progress=False)
    finally:
        os.chdir(before)


def steps_of(folder: Path) -> list[int]:
    journal = folder / "metrics.jsonl"
    if not journal.exists():
        return []
    return [json.loads(line)["step"] for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]


def attempts(folder: Path) -> set[int]:
    """The attempts that took steps."""
    lines = [json.loads(line) for line in (folder / "system.jsonl").read_text().splitlines()]
    return {line["attempt"] for line in lines if line["step"]}


def assert_same_end(one: Run, other: Run) -> None:
    """Equal bits: checkpoints, model, history, result."""
    last = "checkpoints/step-00000200"
    parts = [f"{last}/{part}.safetensors" for part in ("weights", "optimizer")]
    for name in (*parts, "model/weights.safetensors", "metrics.jsonl"):
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes(), name
    assert (one.metrics, one.validation, one.step) == (other.metrics, other.validation, other.step)


def two_workers(home: Path, run: str) -> Run:
    suite = toy_suite.toy(home, train=LONG, workers={"count": 2})
    return train(suite, run=run, register=False, progress=False)


def test_two_workers_end_with_the_bits_of_one_process(here, undisturbed):
    assert_same_end(two_workers(here, "two"), undisturbed)
    assert until(lambda: not worker_pids()), "an actor is left"


def test_one_of_two_workers_killed_in_the_middle_changes_nothing(here, undisturbed):
    """No command is given again: the run ends by itself."""
    folder = here / "runs/toy/killed"
    killed: list[int] = []

    def kill() -> None:
        killed.append(worker_pids()[-1])
        os.kill(killed[0], signal.SIGKILL)

    when(lambda: any(step >= 40 for step in steps_of(folder)), kill)
    run = two_workers(here, "killed")
    assert killed, "the kill came too late to prove anything"
    assert attempts(folder) == {1, 2}
    assert_same_end(run, undisturbed)
    assert until(lambda: not worker_pids()), "an actor is left"


def test_killed_after_the_last_save_it_takes_no_further_step(here, undisturbed, monkeypatch):
    monkeypatch.setattr(work, "FUNCTION", "toys:work_then_die")
    run = two_workers(here, "late")
    assert json.loads((run.folder / "attempt.json").read_text())["number"] == 2
    assert attempts(run.folder) == {1}, "the second attempt took steps"
    assert_same_end(run, undisturbed)
