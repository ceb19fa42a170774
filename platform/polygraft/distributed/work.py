"""Where a run's work is done: in this process, or on a group of Ray actors that begins again when one of them dies."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from polygraft.assembly.run import Run
from polygraft.core.errors import RunFailed
from polygraft.core.logs import log
from polygraft.data.streaming import Runner, one_by_one
from polygraft.distributed.address import Address
from polygraft.distributed.background import Background
from polygraft.distributed.endings import Interrupted
from polygraft.distributed.interrupts import Interrupts
from polygraft.distributed.machine import cpus, too_many
from polygraft.distributed.policy import Crashed, Died, Done, Outcome, Refused, Shrink, Stop, after_death
from polygraft.distributed.ray_runner import RayRunner
from polygraft.distributed.session import RaySession
from polygraft.distributed.worker import Task, words_of
from polygraft.storage.lock import RunLock
from polygraft.suite.schema import Suite

if TYPE_CHECKING:
    from polygraft.distributed.group import Share, WorkerGroup

FUNCTION = "polygraft.assembly.job:work"
"""What every rank runs."""


class Work(ABC):
    """Where a run's work is done; a context manager.

    elsewhere: not in this process. seconds: of the phases of the start-up, as they are known.
    """

    elsewhere: bool
    seconds: dict[str, float]

    @abstractmethod
    def run(self, lock: RunLock) -> Run:
        """Do the work; what it came to. Raises what it refused or met."""

    @abstractmethod
    def runner(self) -> Runner:
        """What cleans the parts of tables that are larger than the memory they are allowed."""

    @abstractmethod
    def __enter__(self) -> Work: ...

    @abstractmethod
    def __exit__(self, *_: object) -> None: ...


class LocalWork(Work):
    """The work in this process."""

    elsewhere = False

    def __init__(self, folder: Path, interrupts: Interrupts) -> None:
        self._folder, self._interrupts = folder, interrupts
        self.seconds: dict[str, float] = {}

    def run(self, lock: RunLock) -> Run:
        """Do the work; what it came to."""
        task = Task(FUNCTION, {"folder": self._folder, "attempt": lock.attempt})
        with self._interrupts.gently():
            result: Run = task.load()(**task.arguments)
        return result

    def runner(self) -> Runner:
        """This process, part by part."""
        return one_by_one

    def __enter__(self) -> LocalWork:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was started."""


class RayWork(Work):
    """The work on Ray actors. Entered, it starts Ray and places the actors in a thread of its own; left, nothing stays."""

    elsewhere = True

    def __init__(self, suite: Suite, folder: Path, address: Address, interrupts: Interrupts) -> None:
        workers = suite.workers
        self._suite, self._folder, self._address = suite, folder, address
        self._interrupts = interrupts
        most = max(workers.least * workers.threads, min(workers.most * workers.threads, cpus()))
        self._session = RaySession(address, cpus=most, gpus=workers.most * workers.gpus)
        self._words = Words(words_of(folder / "logs", 0))
        self._starting: Background[None] | None = None
        self._group: WorkerGroup | None = None
        self.seconds: dict[str, float] = {}

    def __enter__(self) -> RayWork:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._starting = Background(self._start, "ray-start").begin()
        return self

    def __exit__(self, *_: object) -> None:
        if self._starting is not None:
            self._starting.settled()
        if self._group is not None:
            self._group.end()
        self._session.close()

    def run(self, lock: RunLock) -> Run:
        """Do the work, again after each death as far as the policy goes. Raises what the workers refused or met."""
        assert self._starting is not None, "the work was not entered"
        self._starting.result()
        failures, newest = 0, self._newest()
        while True:
            outcome = self._attempt(lock)
            if isinstance(outcome, Done):
                assert isinstance(outcome.value, Run)
                return outcome.value
            if not isinstance(outcome, Died):
                raise _raised(outcome)
            failures = failures + 1 if self._newest() == newest else 1
            newest = self._newest()
            self._again(outcome, failures)
            lock.renew()  # whatever of the old group may still live, it may not write

    def runner(self) -> Runner:
        """Ray's tasks, as many at once as the run has CPUs; they wait until Ray is there."""
        starting = self._starting
        assert starting is not None, "the work was not entered"
        workers = self._suite.workers
        return RayRunner(lambda: starting.result(), workers.most * workers.threads)

    def _start(self) -> None:
        began = time.perf_counter()
        self._session.open()
        from polygraft.distributed.group import room

        self.seconds["ray"] = time.perf_counter() - began
        workers = self._suite.workers
        there = room(self._share())
        if there < workers.least:
            has = f"Ray at {self._address.value or 'this machine'} has no more"
            raise too_many(self._suite, there, has)
        self._begin(min(there, workers.most))

    def _begin(self, count: int) -> None:
        from polygraft.distributed.group import WorkerGroup

        self._group = WorkerGroup(count, self._share(), self._words.pass_on)
        self._group.begin(FUNCTION, self._folder)

    def _attempt(self, lock: RunLock) -> Outcome:
        group = self._group
        assert group is not None, "no group was begun"
        began = time.perf_counter()
        outcome = group.meet()
        if outcome is not None:
            return outcome
        self.seconds["meet"] = time.perf_counter() - began
        self.seconds["imports"] = max(each.seconds for each in group.members)
        with self._interrupts.gently():
            outcome = group.work(Task(FUNCTION, {"folder": self._folder, "attempt": lock.attempt}))
        self._words.pass_on()
        if isinstance(outcome, Died) and self._interrupts.signum is not None:
            raise Interrupted(self._interrupts.signum)  # who asked to stop wants no new start
        return outcome

    def _again(self, died: Died, failures: int) -> None:
        """Act on what the policy says to a death."""
        from polygraft.distributed.group import room

        if self._group is not None:
            self._group.end()
        decision = after_death(self._suite.workers, room(self._share()), failures)
        if isinstance(decision, Stop):
            raise RunFailed(f"a worker died ({died.reason}) and the run stops: {decision.reason}.")
        how = f"with {decision.count} workers" if isinstance(decision, Shrink) else "again"
        log().warning("a worker died (%s); going on %s from the last checkpoint.", died.reason, how)
        self._begin(decision.count)

    def _share(self) -> Share:
        from polygraft.distributed.group import Share

        return Share(self._suite.workers.threads, self._suite.workers.gpus)

    def _newest(self) -> str:
        from polygraft.storage.directory import newest_first

        return next((each.name for each in newest_first(self._folder / "checkpoints")), "")


@dataclass
class Words:
    """Passes on to this process's log what a worker has written to its file since it was last asked."""

    file: Path
    _read: int = field(default=-1)

    def pass_on(self) -> None:
        """Log the lines that are new. What stood there when it was made is an earlier attempt's."""
        size = self.file.stat().st_size if self.file.exists() else 0
        if self._read < 0:
            self._read = size
        if size <= self._read:
            return
        with self.file.open("rb") as words:
            words.seek(self._read)
            whole = words.read().rpartition(b"\n")[0]
        self._read += len(whole) + 1 if whole else 0
        for line in whole.decode("utf-8", "replace").splitlines():
            log().info("%s", line)


def _raised(outcome: Outcome) -> Exception:
    if isinstance(outcome, Refused):
        return outcome.error
    assert isinstance(outcome, Crashed)
    log().error("%s", outcome.trace.rstrip())
    return RunFailed(f"a worker failed: {outcome.message}")
