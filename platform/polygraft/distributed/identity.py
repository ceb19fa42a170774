"""Which run a command means: a new one, one that goes on, or one that is finished."""

from __future__ import annotations

import re
import time
from pathlib import Path

from polygraft.core.errors import fault
from polygraft.storage.runs import RunRecord, all_runs, find_run, matching, new_run_id, unfinished
from polygraft.suite.identity import differing, digest
from polygraft.suite.schema import Suite

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def storage_of(suite: Suite) -> Path:
    """The folder of all runs, seen from where the command is given. Raises UserError for a place that is none."""
    if "://" in suite.storage:
        raise fault("storage: only folders are stores so far. Give a path.", suite.where("storage"))
    return Path(suite.storage).resolve()


def claim(suite: Suite, *, run: str | None = None, resume: bool = False) -> RunRecord:
    """The run that is meant; nothing is written yet.

    run: an id, ours or MLflow's, or `latest`; one that is not there names a new run. resume: the newest unfinished run of the
    same suite. Raises UserError for an id that another suite has, and when there is nothing to resume.
    """
    storage = storage_of(suite)
    if run and resume:
        raise fault("--run and --resume are two ways to say which run. Give one of them.")
    if resume:
        return _resumed(storage, suite)
    if run is None:
        return _fresh(storage, suite, new_run_id(suite.suite))
    found = [each for each in matching(all_runs(storage), run) if run in (each.run_id, each.mlflow_run_id, "latest")]
    if not found:
        if not _NAME.fullmatch(run) or run == "latest":
            raise fault(f"'{run}' is no run yet, and cannot name one: letters, digits and . _ - can.", "--run")
        return _fresh(storage, suite, run)
    _require_same(found[0], suite)
    return found[0]


def source_of(suite: Suite, operand: str) -> Path:
    """The folder of the run that another one starts from."""
    return find_run(storage_of(suite), operand).folder


def _fresh(storage: Path, suite: Suite, run_id: str) -> RunRecord:
    return RunRecord(storage / suite.suite / run_id, run_id, suite.suite, digest(suite), time.time())


def _resumed(storage: Path, suite: Suite) -> RunRecord:
    found = unfinished(storage, suite.suite, digest(suite))
    if found:
        return found
    runs = all_runs(storage, suite.suite)
    if not runs:
        raise fault(f"there is no run of '{suite.suite}' to resume; leave --resume out to start one.", str(storage))
    if runs[0].finished:
        raise fault(
            f"the newest run, {runs[0].run_id}, is finished; leave --resume out to start another.", str(storage)
        )
    keys = _differing(runs[0], suite)
    raise fault(
        f"no unfinished run has this suite; {runs[0].run_id} differs in {keys}. Make them equal, or leave --resume out.",
        str(storage),
    )


def _require_same(record: RunRecord, suite: Suite) -> None:
    if record.suite == suite.suite and record.digest == digest(suite):
        return
    raise fault(
        f"the run '{record.run_id}' is of another suite; they differ in {_differing(record, suite)}. Take another id, or make them equal.",
        "--run",
    )


def _differing(record: RunRecord, suite: Suite) -> str:
    from polygraft.assembly.job import laid_out  # with it comes torch, which a command that starts has no need of

    return ", ".join(differing(laid_out(record.folder), suite))
