"""The driver of one run: it prepares the data while Ray starts, watches the work, and publishes what it came to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from polygraft.assembly.job import cache_of, lay_out
from polygraft.assembly.mixing import total_steps
from polygraft.assembly.run import Run
from polygraft.assembly.tables import prepare_tables
from polygraft.core.errors import RunFailed
from polygraft.core.logs import log
from polygraft.data.preparation import Prepared
from polygraft.distributed.background import Background
from polygraft.distributed.endings import Failed, Interrupted
from polygraft.distributed.interrupts import Interrupts
from polygraft.distributed.publish import facts_of, publish
from polygraft.distributed.work import Work
from polygraft.storage.directory import newest_first
from polygraft.storage.lock import RunLock
from polygraft.storage.runs import RunRecord, point_latest, read_run, update_run, write_run
from polygraft.suite.schema import Suite
from polygraft.tracking.follower import Follower, Listener
from polygraft.tracking.journal import Entry, Journal
from polygraft.tracking.mlflow_tracker import MlflowTracker, open_run
from polygraft.tracking.progress import Progress

_WORDS = {"finished": "FINISHED", "killed": "KILLED", "failed": "FAILED"}


@dataclass(frozen=True)
class Driver:
    """What one run needs besides the work. uri: MLflow's. warm_start: the folder of the run whose weights it starts with. tags: MLflow's, beside our own."""

    suite: Suite
    record: RunRecord
    lock: RunLock
    uri: str
    warm_start: Path | None
    register: bool
    progress: bool
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.record.folder

    def run(self, work: Work, interrupts: Interrupts) -> Run:
        """Prepare, let the work be done, publish."""
        began = time.perf_counter()
        log().info("preparing %s%s", ", ".join(self.suite.data), ", while Ray starts" if work.elsewhere else "")
        prepared = prepare_tables(self.suite, cache_of(self.folder), work.runner())
        work.seconds["data"] = time.perf_counter() - began
        log().info("%s, in %.1f s", sizes_of(prepared), work.seconds["data"])
        self._begin()
        opening = Background(lambda: self._open(prepared, interrupts), "mlflow-open")
        if work.elsewhere:
            opening.begin()  # else with the first point: its import takes seconds, which the first step would wait for
        try:
            result = self._drive(work, opening, prepared)
        except BaseException as error:
            self._end(opening, "killed" if isinstance(error, KeyboardInterrupt) else "failed")
            if isinstance(error, RunFailed):
                raise Failed(str(error), self._so_far()) from error
            raise
        self._end(opening, result.status, result.step)
        if result.status == "killed":
            assert interrupts.signum is not None, "nobody asked the work to stop"
            raise Interrupted(interrupts.signum, result)
        return result

    def _begin(self) -> None:
        """Lay out a new run; from here on its folder stays."""
        if read_run(self.folder) is None:
            lay_out(self.suite, self.folder, self.warm_start)
            write_run(self.record)
        update_run(self.folder, status="running", attempt=self.lock.attempt)
        point_latest(self.folder)

    def _open(self, prepared: Mapping[str, Prepared], interrupts: Interrupts) -> MlflowTracker:
        """The run in MLflow; when that is refused, the work is asked to stop."""
        try:
            tracker = open_run(self.uri, facts_of(self.suite, self.record, prepared, tags=self.tags))
        except BaseException:
            interrupts.ask()
            raise
        update_run(self.folder, mlflow_run_id=tracker.run_id)
        return tracker

    def _drive(self, work: Work, opening: Background[MlflowTracker], prepared: Mapping[str, Prepared]) -> Run:
        with self._followed(opening, prepared):
            result = work.run(self.lock)
            startup = {f"system/startup/{phase}": value for phase, value in work.seconds.items()}
            Journal(self.folder / "metrics.jsonl", attempt=self.lock.attempt).log(startup, 0)
        tracker = opening.result()
        result = replace(result, mlflow_run_id=tracker.run_id)
        if result.status != "finished":
            return result
        return publish(self.suite, result, tracker, prepared, uri=self.uri, register=self.register)

    def _so_far(self) -> Run:
        """What a failed run had come to: the step of its newest checkpoint."""
        saved = [int(each.name.rpartition("-")[2]) for each in newest_first(self.folder / "checkpoints")]
        record = read_run(self.folder)
        told = record.mlflow_run_id if record else None
        return Run(self.record.run_id, self.folder, "failed", max(saved, default=0), mlflow_run_id=told)

    def _end(self, opening: Background[MlflowTracker], status: str, step: int | None = None) -> None:
        """Say in the run's folder and in MLflow how it ended."""
        tracker = opening.settled()
        update_run(self.folder, status=status, **({} if step is None else {"step": step}))
        try:
            if tracker is not None:
                tracker.end(_WORDS[status])  # type: ignore[arg-type]
        except Exception as error:  # whatever MLflow may say now, the run's end stands
            log().warning("MLflow was not told that the run is %s: %s", status, error)

    @contextmanager
    def _followed(self, opening: Background[MlflowTracker], prepared: Mapping[str, Prepared]) -> Iterator[None]:
        """Meanwhile the journal's points go to MLflow and to the bar."""

        def mlflow(entries: Sequence[Entry]) -> None:
            tracker = opening.settled()
            if tracker is not None:
                tracker(entries)

        listeners: list[Listener] = [mlflow]
        with ExitStack() as stack:
            if self.progress:
                listeners.append(stack.enter_context(Progress(total_steps(self.suite, prepared))))
            stack.enter_context(Follower(self.folder / "metrics.jsonl", listeners))
            yield


def sizes_of(prepared: Mapping[str, Prepared]) -> str:
    """`flights: 336,776 rows, 235,743 to train on`, of every table, and what its row steps did: ` (duplicates dropped 12)`."""
    return "; ".join(f"{name}: {_size_of(table)}" for name, table in prepared.items())


def _size_of(table: Prepared) -> str:
    if table.environment is not None:
        return f"{table.environment.source}, {table.environment.instances} instances"
    changed = f" ({'; '.join(map(str, table.changed))})" if table.changed else ""
    return f"{table.rows:,} rows, {len(table.splits['train']):,} to train on{changed}"
