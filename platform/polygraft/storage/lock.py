"""One process works on a run at a time: a lock with a heartbeat, and a number for each attempt."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType

from polygraft.core.atomic import write_json
from polygraft.core.errors import RunFailed, fault
from polygraft.core.logs import log


@dataclass(frozen=True)
class Attempt:
    """Who works, or last worked, on a run: what `attempt.json` in its folder says.

    machine: host, boot and process namespace; within one, a process is known by `pid` and `started`, its start in clock
        ticks since boot. since: seconds since 1970. ended: True once the attempt gave the run back.
    """

    number: int
    host: str
    machine: str
    pid: int
    started: int
    since: float
    ended: bool = False


class RunLock:
    """Holds the run in `folder` while its block runs; a context manager.

    `attempt.json` says who and is replaced under a flock of the file `lock`, whose time of change is the heartbeat.
    beat_s: seconds between heartbeats. stale_s: seconds without one after which a holder on another machine is dead.
    """

    def __init__(self, folder: Path, *, beat_s: float = 5.0, stale_s: float = 30.0) -> None:
        self._folder, self._beat_s, self._stale_s = folder, beat_s, stale_s
        self._mine: Attempt | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def attempt(self) -> int:
        """The number of this attempt, 1 for a run's first; grows by one with each acquisition."""
        assert self._mine is not None, "the lock is not held"
        return self._mine.number

    def acquire(self) -> None:
        """Take the run. Raises UserError when another process works on it: at once on the same machine, else after its next
        heartbeat; a holder on another machine that gives none for `stale_s` is taken to be dead."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / "lock").open("ab").close()  # not touch(): that would be a heartbeat
        except OSError as error:
            raise fault(f"the run's folder cannot be written ({error.strerror}).", str(self._folder)) from error
        first_beat = _beat(self._folder)
        while True:
            with _exclusive(self._folder):
                holder = read_attempt(self._folder)
                if holder is None or holder.ended or is_dead(holder, self._age(), self._stale_s):
                    self._begin(holder.number + 1 if holder else 1)
                    break
            if holder.machine == machine() or _beat(self._folder) != first_beat:
                raise fault(refusal(holder, self._age()), str(self._folder))
            time.sleep(min(0.2, self._beat_s))
        self._thread = threading.Thread(target=self._keep_beating, name="run-lock", daemon=True)
        self._thread.start()

    def renew(self) -> int:
        """Begin a new attempt without giving the run back: the workers of the old one may not write any more."""
        with _exclusive(self._folder):
            attempt_guard(self._folder, self.attempt)()
            self._begin(self.attempt + 1)
        return self.attempt

    def guard(self) -> None:
        """Raise RunFailed when another attempt has taken the run over."""
        attempt_guard(self._folder, self.attempt)()

    def release(self) -> None:
        """Give the run back; nothing when it is not held, or no longer ours."""
        if self._mine is None:
            return
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        with _exclusive(self._folder):
            if read_attempt(self._folder) == self._mine:
                write_json(self._folder / "attempt.json", asdict(replace(self._mine, ended=True)))
        self._mine, self._thread = None, None
        self._over.clear()

    def __enter__(self) -> RunLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _begin(self, number: int) -> None:
        self._mine = Attempt(
            number, socket.gethostname(), machine(), os.getpid(), process_start(os.getpid()) or 0, time.time()
        )
        write_json(self._folder / "attempt.json", asdict(self._mine))
        os.utime(self._folder / "lock")

    def _keep_beating(self) -> None:
        while not self._over.wait(self._beat_s):
            try:
                self.guard()
                os.utime(self._folder / "lock")
            except RunFailed as error:
                log().warning("%s", error)
                return
            except OSError as error:  # a full or hanging disk may come back; the next beat tries again
                log().warning("%s: no heartbeat (%s)", self._folder, error.strerror)

    def _age(self) -> float:
        """Seconds since the last heartbeat, by the clock of the file system alone: hosts' clocks differ."""
        probe = self._folder / f".lock.{os.getpid()}.partial"
        try:
            probe.touch()
            return probe.stat().st_mtime - _beat(self._folder)
        finally:
            probe.unlink(missing_ok=True)


def read_attempt(folder: Path) -> Attempt | None:
    """The newest attempt on the run in `folder`, ended or not; None before the first."""
    try:
        return Attempt(**json.loads((folder / "attempt.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def attempt_guard(folder: Path, attempt: int) -> Callable[[], None]:
    """A check for writers in any process: raises RunFailed once another attempt than `attempt` works on the run."""

    def guard() -> None:
        newest = read_attempt(folder)
        if newest is not None and newest.number != attempt:
            raise RunFailed(
                f"{folder}: attempt {newest.number} (process {newest.pid} on {newest.host}) has taken this run over; "
                f"attempt {attempt} stops without writing."
            )

    return guard


def is_dead(holder: Attempt, age_s: float, stale_s: float) -> bool:
    """Whether the holder's process has ended: seen directly on this machine, else guessed from its heartbeat's age."""
    if holder.machine == machine():
        return process_start(holder.pid) != holder.started
    return age_s > stale_s


def refusal(holder: Attempt, age_s: float) -> str:
    """Why the run cannot be had, and what to do."""
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder.since))
    return (
        f"process {holder.pid} on {holder.host} has worked on this run since {since} (attempt {holder.number}, last sign "
        f"of life {max(0.0, age_s):.0f} s ago). Wait for it, stop it with `kill {holder.pid}` on {holder.host}, or start a "
        "run of its own without --run."
    )


def machine() -> str:
    """Host, boot and process namespace: within one, a pid and its start name a process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{socket.gethostname()}/{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:  # no /proc here, or a closed one
        return socket.gethostname()


def process_start(pid: int) -> int | None:
    """When the process began, in clock ticks since boot (0 where the system does not say); None when it has ended."""
    try:
        # The second field, the command in brackets, may hold anything; what follows the last bracket is regular.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() or not _signalable(pid) else 0
    return None if fields[0] in "ZX" else int(fields[19])


def _signalable(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _beat(folder: Path) -> float:
    return (folder / "lock").stat().st_mtime


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Alone with `attempt.json`, for the moment of a change: no two processes take over the same dead holder."""
    with (folder / "lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
