"""Signals to the driver of two Ray workers: Ctrl-C saves, SIGKILL leaves nobody behind, and both can be continued."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import toy_suite
from polygraft.distributed.launch import train
from polygraft.suite.identity import as_yaml
from waiting import descendants, until, worker_pids

pytestmark = pytest.mark.real


@pytest.fixture
def driver(here: Path) -> Iterator[subprocess.Popen[str]]:
    """`polygraft train --workers 2` of a long run, in a process group of its own, once it has taken steps."""
    (here / "suite.yaml").write_text(as_yaml(toy_suite.toy(here, train={"steps": 400})))
    run = f"run-{len(list(here.glob('runs/toy/run-*')))}"
    command = [Path(sys.executable).with_name("polygraft"), "train", "suite.yaml", "--run", run, "--workers", "2"]
    process = subprocess.Popen(
        [*command, "--no-register", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    journal = here / "runs/toy" / run / "metrics.jsonl"
    try:
        assert until(lambda: process.poll() is not None or (journal.exists() and journal.stat().st_size > 0), 200)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_ctrl_c_saves_and_the_continued_run_equals_the_undisturbed_one(here, driver):
    started = descendants(driver.pid)
    os.killpg(driver.pid, signal.SIGINT)  # as a terminal does: to all of the command's processes
    out, words = driver.communicate(timeout=120)
    assert driver.returncode == 130, words
    told = json.loads(out)
    assert told["status"] == "killed"
    assert 0 < told["step"] < 400, "the signal came too late to prove anything"
    assert words.startswith("131 rows a step = 2 workers x 52 to 79\n")
    assert "(pid=" not in words
    assert until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started)), "a process is left"
    _goes_on_as_if_nothing_had_happened(here, told["run_id"])


def test_a_killed_driver_leaves_no_worker_behind_and_the_run_goes_on(here, driver):
    """Ray's own agents take a minute to see that they are alone; the workers, which could write, end at once."""
    workers = worker_pids(driver.pid)
    assert len(workers) == 2
    driver.kill()
    assert until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 30), "a worker is left"
    _goes_on_as_if_nothing_had_happened(here, "run-1")


def _goes_on_as_if_nothing_had_happened(here: Path, run_id: str) -> None:
    suite = toy_suite.toy(here, train={"steps": 400})
    mine = train(suite, run=run_id, register=False, progress=False)
    yours = train(suite, run="undisturbed", register=False, progress=False)
    for name in ("metrics.jsonl", "model/weights.safetensors", "checkpoints/step-00000400/optimizer.safetensors"):
        assert (mine.folder / name).read_bytes() == (yours.folder / name).read_bytes(), name
    assert mine.metrics == yours.metrics
