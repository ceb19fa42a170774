"""A run that a study does in this process, without workers: claimed, laid out, its history kept and told to MLflow; it leaves no model."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from polygraft.assembly.job import cache_of, lay_out
from polygraft.assembly.run import RESULT, STOP, Run
from polygraft.assembly.tables import prepare_tables
from polygraft.core.atomic import write_json
from polygraft.core.errors import RunFailed
from polygraft.data.preparation import Prepared
from polygraft.distributed.endings import Interrupted
from polygraft.distributed.identity import claim, storage_of
from polygraft.distributed.interrupts import Interrupts
from polygraft.distributed.launch import claimed, result_of
from polygraft.distributed.publish import facts_of
from polygraft.storage.directory import Directory
from polygraft.storage.lock import RunLock
from polygraft.storage.runs import RunRecord, read_run, update_run, write_run
from polygraft.suite.schema import Suite
from polygraft.tracking.journal import Journal, read
from polygraft.tracking.mlflow_tracker import open_run, tracking_uri

Tables = Mapping[str, Prepared]


@dataclass(frozen=True)
class Place:
    """Where such a run works: its folder, its tables, its history and its checkpoints. interrupts: takes Ctrl-C meanwhile."""

    suite: Suite
    folder: Path
    tables: Tables
    journal: Journal
    store: Directory
    interrupts: Interrupts

    def stopping(self) -> bool:
        """Whether somebody asked the run to stop."""
        return (self.folder / STOP).exists()


@dataclass(frozen=True)
class Outcome:
    """What the work came to. finished: False where it stopped because it was asked to. metrics: of the test rows, by `<task>/<metric>`."""

    step: int
    finished: bool = True
    metrics: Mapping[str, float] = field(default_factory=dict)
    validation: Mapping[str, float] = field(default_factory=dict)
    samples_per_second: float = 0.0


def run_here(
    suite: Suite, run: str, work: Callable[[Place], Outcome], *, tags: Mapping[str, str], tracking: str | None
) -> Run:
    """Do the run, go on with it, or give back its result. Raises what `work` does, and Interrupted where it was asked to stop."""
    record = claim(suite, run=run)
    with claimed(record.folder) as lock:
        found = result_of(record.folder)
        if found is not None:
            return found
        torch.set_num_threads(suite.workers.threads)
        began, tables = time.time(), prepare_tables(suite, cache_of(record.folder))
        outcome = _worked(suite, record, lock, tables, work)
        result = Run(
            record.run_id,
            record.folder,
            "finished",
            outcome.step,
            metrics=dict(outcome.metrics),
            validation=dict(outcome.validation),
            mlflow_run_id=publish(suite, record, tables, tags, tracking),
            seconds=round(time.time() - began, 3),
            samples_per_second=round(outcome.samples_per_second, 1),
        )
        write_json(record.folder / RESULT, result.to_json())
        update_run(record.folder, status="finished", step=result.step, mlflow_run_id=result.mlflow_run_id)
        return result


def _worked(
    suite: Suite, record: RunRecord, lock: RunLock, tables: Tables, work: Callable[[Place], Outcome]
) -> Outcome:
    """What the work came to, where it came to its end; how it ended stands in the folder where it did not."""
    folder = record.folder
    if read_run(folder) is None:
        lay_out(suite, folder)
        write_run(record)
    update_run(folder, status="running", attempt=lock.attempt)
    journal = Journal(folder / "metrics.jsonl", guard=lock.guard, attempt=lock.attempt)
    store = Directory(folder / "checkpoints", keep=suite.train.keep, guard=lock.guard)
    try:
        with Interrupts(folder / STOP) as interrupts:
            outcome = work(Place(suite, folder, tables, journal, store, interrupts))
            if not outcome.finished:
                assert interrupts.signum is not None, "nobody asked the work to stop"
                raise Interrupted(interrupts.signum)
    except (RunFailed, KeyboardInterrupt) as error:
        update_run(folder, status="failed" if isinstance(error, RunFailed) else "killed")
        raise
    finally:
        journal.close()
    return outcome


def publish(suite: Suite, record: RunRecord, tables: Tables, tags: Mapping[str, str], tracking: str | None) -> str:
    """The run's history to MLflow; its id there."""
    uri, _ = tracking_uri(tracking, os.environ, suite.tracking.uri, storage_of(suite))
    tracker = open_run(uri, facts_of(suite, record, tables, tags=tags))
    for name in ("metrics.jsonl", "system.jsonl"):
        tracker(read(record.folder / name))
    tracker.end("FINISHED")
    return tracker.run_id
