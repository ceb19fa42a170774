"""A worker group on a real Ray: what its workers meet reaches the driver, and nothing stays."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import toy_suite
from polygraft.core.errors import RunFailed, UserError
from polygraft.distributed.address import Address
from polygraft.distributed.interrupts import Interrupts
from polygraft.distributed.policy import Crashed, Died, Done, Outcome, Refused
from polygraft.distributed.work import RayWork
from polygraft.distributed.worker import Task, words_of
from waiting import until, when, worker_pids

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("ray_session")]


def run(folder: Path, function: str, arguments: dict[str, Any], count: int = 2) -> Outcome:
    from polygraft.distributed.group import Share, WorkerGroup

    with WorkerGroup(count, Share(1)) as group:
        group.begin(f"toys:{function}", folder)
        return group.meet() or group.work(Task(f"toys:{function}", arguments))


def _start(work: RayWork) -> None:
    with work:
        work.run(None)  # type: ignore[arg-type]


def nothing_is_left() -> bool:
    from ray.util.placement_group import placement_group_table

    groups = placement_group_table().values()
    return not worker_pids() and all(each["state"] == "REMOVED" for each in groups)


def test_two_workers_sum_and_leave_nothing_behind(tmp_path):
    outcome = run(tmp_path, "total", {"steps": 3})
    assert outcome == Done({"sum": 3.0, "threads": 1, "world": 2})
    assert words_of(tmp_path / "logs", 1).read_text() == "rank 1 is through\n"
    assert until(nothing_is_left)


def test_what_one_rank_refuses_ends_the_group_with_all_its_words(tmp_path):
    outcome = run(tmp_path, "refuse", {"rank": 1})
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, UserError)
    assert str(outcome.error) == "suite.yaml:3: no column 'x'"


def test_an_error_that_nobody_foresaw_keeps_its_traceback(tmp_path):
    outcome = run(tmp_path, "crash", {"rank": 1})
    assert isinstance(outcome, Crashed)
    assert outcome.message == "KeyError: 'absent'"
    assert 'in crash\n    {}["absent"]' in outcome.trace


def test_a_killed_worker_ends_the_group_at_once(tmp_path):
    killed: list[float] = []

    def kill() -> None:
        killed.append(time.monotonic())
        os.kill(int((tmp_path / "pid-1").read_text()), signal.SIGKILL)

    there = tmp_path / "pid-1"
    when(lambda: there.exists() and bool(there.read_text()), kill)
    outcome = run(tmp_path, "total", {"folder": str(tmp_path), "steps": 100_000, "pause_s": 0.01})
    assert isinstance(outcome, Died)
    assert time.monotonic() - killed[0] < 3
    assert until(nothing_is_left), "the survivor hangs in a collective"


def test_a_folder_that_a_worker_does_not_see_is_said(tmp_path):
    outcome = run(tmp_path / "absent", "total", {})
    assert isinstance(outcome, Refused)
    assert "does not see this folder. With workers on other machines `storage` has to lie where" in str(outcome.error)


def test_more_workers_than_the_cluster_holds_are_refused(tmp_path):
    suite = toy_suite.toy(workers={"count": 3})
    with pytest.raises(UserError, match="workers: 3 are wanted, and there is room for 2: Ray at head:6379 has no more"):
        _start(RayWork(suite, tmp_path, Address("head:6379", "--address"), Interrupts(tmp_path / "stop")))
    assert until(nothing_is_left)


def test_deaths_without_a_step_forward_end_the_run(here, monkeypatch):
    from polygraft.distributed import driver, launch, work

    monkeypatch.setattr(work, "FUNCTION", "toys:always_die")
    suite = toy_suite.toy(here, workers={"count": 2, "max_failures": 1})
    with pytest.raises(
        RunFailed, match=r"a worker died .* 2 failures without a step forward; workers.max_failures is 1"
    ):
        launch.train(suite, run="dies", progress=False)
    assert driver.read_run(here / "runs/toy/dies").status == "failed"
    assert until(nothing_is_left)
