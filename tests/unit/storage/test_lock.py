"""One process works on a run at a time, and a dead one does not stand in the way."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import re
import threading
import time
from pathlib import Path

import pytest

from polygraft.core.errors import RunFailed, UserError
from polygraft.storage.lock import RunLock, attempt_guard, is_dead, machine, process_start, read_attempt

FORK = multiprocessing.get_context("fork")


def hold(folder: Path, ready) -> None:
    with RunLock(folder, beat_s=0.05):
        ready.set()
        time.sleep(60)


def held_by_a_child(folder: Path):
    ready = FORK.Event()
    child = FORK.Process(target=hold, args=(folder, ready))
    child.start()
    assert ready.wait(10)
    return child


def move_to_another_machine(folder: Path) -> None:
    facts = json.loads((folder / "attempt.json").read_text()) | {"machine": "elsewhere/1/2", "host": "elsewhere"}
    (folder / "attempt.json").write_text(json.dumps(facts))


def test_attempts_are_counted(tmp_path):
    for expected in (1, 2, 3):
        with RunLock(tmp_path / "run") as lock:
            assert lock.attempt == expected
    assert read_attempt(tmp_path / "run").ended


def test_a_second_process_is_refused_and_told_who_since_when_and_what_to_do(tmp_path):
    child = held_by_a_child(tmp_path)
    try:
        with pytest.raises(UserError) as refused:
            RunLock(tmp_path).acquire()
        assert re.fullmatch(
            rf"{tmp_path}: process {child.pid} on \S+ has worked on this run since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d "
            rf"\(attempt 1, last sign of life \d s ago\). Wait for it, stop it with `kill {child.pid}` on \S+, "
            r"or start a run of its own without --run.",
            str(refused.value),
        )
        assert read_attempt(tmp_path).number == 1
    finally:
        child.kill()
        child.join()


def test_a_killed_holder_is_replaced_at_once_even_before_it_is_reaped(tmp_path):
    child = held_by_a_child(tmp_path)
    os.kill(child.pid, 9)
    time.sleep(0.1)  # a zombie now: nobody has waited for it
    with RunLock(tmp_path) as lock:
        assert lock.attempt == 2
    child.join()


def test_a_recycled_pid_is_not_taken_for_the_holder(tmp_path):
    with RunLock(tmp_path):
        mine = read_attempt(tmp_path)
    assert not is_dead(mine, age_s=1e9, stale_s=30)
    assert is_dead(dataclasses.replace(mine, started=mine.started - 1), age_s=0, stale_s=30)


def test_the_same_process_may_not_hold_a_run_twice(tmp_path):
    with RunLock(tmp_path), pytest.raises(UserError, match=f"process {os.getpid()} on"):
        RunLock(tmp_path).acquire()


def test_a_holder_on_another_machine_is_refused_as_long_as_it_beats(tmp_path):
    with RunLock(tmp_path, beat_s=0.05):
        move_to_another_machine(tmp_path)
        start = time.monotonic()
        with pytest.raises(UserError, match="on elsewhere has worked"):
            RunLock(tmp_path, beat_s=0.05, stale_s=20).acquire()
        assert time.monotonic() - start < 15


def test_a_holder_on_another_machine_without_a_heartbeat_is_replaced(tmp_path):
    start = time.monotonic()
    lock = RunLock(tmp_path, beat_s=60)
    lock.acquire()
    move_to_another_machine(tmp_path)
    with RunLock(tmp_path, beat_s=0.1, stale_s=0.7) as second:
        assert 0.7 < time.monotonic() - start < 15
        assert second.attempt == 2
        lock.release()  # no longer ours to give back
        assert not read_attempt(tmp_path).ended


def test_looking_at_a_lock_is_no_heartbeat(tmp_path):
    with RunLock(tmp_path, beat_s=60):
        before = (tmp_path / "lock").stat().st_mtime_ns
        with pytest.raises(UserError):
            RunLock(tmp_path).acquire()
        assert (tmp_path / "lock").stat().st_mtime_ns == before


def test_a_stale_attempt_may_not_write(tmp_path):
    with RunLock(tmp_path) as lock:
        guard = attempt_guard(tmp_path, lock.attempt)
        guard()
        assert lock.renew() == 2
        lock.guard()
        with pytest.raises(RunFailed) as refused:
            guard()
    host = read_attempt(tmp_path).host
    assert str(refused.value) == (
        f"{tmp_path}: attempt 2 (process {os.getpid()} on {host}) has taken this run over; attempt 1 stops without writing."
    )


def test_the_heartbeat_beats_and_ends_with_the_block(tmp_path):
    with RunLock(tmp_path, beat_s=0.02):
        first = (tmp_path / "lock").stat().st_mtime_ns
        time.sleep(0.2)
        assert (tmp_path / "lock").stat().st_mtime_ns > first
        assert "run-lock" in {thread.name for thread in threading.enumerate()}
    assert "run-lock" not in {thread.name for thread in threading.enumerate()}


def test_the_run_is_given_back_when_the_block_fails(tmp_path):
    with pytest.raises(KeyError), RunLock(tmp_path):
        raise KeyError
    with RunLock(tmp_path) as lock:
        assert lock.attempt == 2


def race(folder: Path, start, over, won, lost) -> None:
    start.wait()
    try:
        with RunLock(folder):
            won.release()
            over.wait()
    except UserError:
        lost.release()


def test_of_many_that_find_a_dead_holder_one_gets_the_run(tmp_path):
    with RunLock(tmp_path):
        pass
    facts = json.loads((tmp_path / "attempt.json").read_text()) | {"ended": False, "pid": 2**30}
    (tmp_path / "attempt.json").write_text(json.dumps(facts))
    start, over, won, lost = FORK.Event(), FORK.Event(), FORK.Semaphore(0), FORK.Semaphore(0)
    children = [FORK.Process(target=race, args=(tmp_path, start, over, won, lost)) for _ in range(8)]
    for child in children:
        child.start()
    start.set()
    refused = all(lost.acquire(timeout=20) for _ in range(7))
    over.set()
    for child in children:
        child.join()
    assert refused
    assert won.get_value() == 1
    assert read_attempt(tmp_path).number == 2


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UserError) as refused:
        RunLock(tmp_path / "run").acquire()
    assert str(refused.value) == f"{tmp_path / 'run'}: the run's folder cannot be written (File exists)."


def test_processes_are_told_apart():
    assert process_start(os.getpid()) == process_start(os.getpid())
    assert process_start(2**30) is None
    assert machine() == machine()
