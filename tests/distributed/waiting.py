"""Waiting for what other processes do, and finding those of a worker group."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path


def worker_pids(root: int | None = None) -> list[int]:
    """The ranks of worker groups that `root`, or this process, has started, by process id."""
    processes = _processes()
    below = descendants(os.getpid() if root is None else root)
    return sorted(pid for pid in below if processes.get(pid, (0, b""))[1].startswith(b"ray::Worker"))


def descendants(root: int) -> list[int]:
    """The living processes that `root` has started, and those that they have."""
    processes = _processes()

    def below(pid: int) -> bool:
        while pid in processes and pid != root:
            pid = processes[pid][0]
        return pid == root

    return [pid for pid in processes if pid != root and below(pid)]


def _processes() -> dict[int, tuple[int, bytes]]:
    """(parent, command line) of every process."""
    found = {}
    for place in Path("/proc").iterdir():
        if not place.name.isdecimal():
            continue
        try:
            parent = int((place / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            found[int(place.name)] = (parent, (place / "cmdline").read_bytes())
        except OSError:  # it has ended meanwhile
            continue
    return found


def when(condition: Callable[[], bool], action: Callable[[], None], timeout_s: float = 400) -> threading.Thread:
    """Do `action` as soon as `condition` holds, aside."""

    def wait() -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                return
            time.sleep(0.01)
        action()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def until(condition: Callable[[], bool], timeout_s: float = 20) -> bool:
    """Whether it comes to hold."""
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()
