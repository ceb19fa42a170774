"""The folders of runs: their names, what `run.json` says of each, and which one an operand means."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from polygraft.core.atomic import write_json
from polygraft.core.errors import fault, nearest

_RUN_ID = re.compile(r"(?P<suite>.+)-(?P<when>\d{8}-\d{6})-[0-9a-f]{4}")
STATUSES = ("running", "finished", "failed", "killed")


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run without reading its numbers.

    folder: `<storage>/<suite>/<run_id>`, where `run.json` holds all that follows.
    digest: of the resolved suite. created: seconds since 1970. status: one of STATUSES; `running` also
        stands in the folder of a run that was killed without a word.
    """

    folder: Path
    run_id: str
    suite: str
    digest: str
    created: float
    status: str = "running"
    mlflow_run_id: str | None = None
    attempt: int = 0
    step: int = 0

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.status == "finished"


def new_run_id(suite: str, now: float | None = None) -> str:
    """A run id like `flights-20261123-141502-3f9a`: suite, UTC time, four random digits."""
    return f"{suite}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(2)}"


def suite_of(run_id: str) -> str | None:
    """The suite in a run id of our form; None when it has another."""
    found = _RUN_ID.fullmatch(run_id)
    return found["suite"] if found else None


def write_run(record: RunRecord) -> None:
    """Put the record into its folder, atomically."""
    facts = asdict(record)
    del facts["folder"]
    write_json(record.folder / "run.json", facts)


def update_run(folder: Path, **changes: Any) -> RunRecord:
    """Change some of what `run.json` says."""
    record = read_run(folder)
    assert record is not None, f"no run in {folder}"
    record = replace(record, **changes)
    write_run(record)
    return record


def read_run(folder: Path) -> RunRecord | None:
    """The run in `folder`; None when there is none."""
    try:
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return RunRecord(folder=folder, **facts)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError) as error:
        raise fault(f"this is not what a run's folder holds ({error}).", str(folder / "run.json")) from error


def all_runs(storage: Path, suite: str | None = None) -> list[RunRecord]:
    """The runs under `storage`, of one suite or of all, newest first."""
    pattern = f"{suite or '*'}/*/run.json"
    folders = [path.parent for path in storage.glob(pattern) if not path.parent.is_symlink()]
    runs = [run for folder in folders if (run := read_run(folder)) is not None]
    return sorted(runs, key=lambda run: (run.created, run.run_id), reverse=True)


def find_run(storage: Path, operand: str, suite: str | None = None) -> RunRecord:
    """The run that `operand` means: its folder, our id, MLflow's id, a unique prefix of either, or `latest`.

    suite: look at this suite's runs alone. Raises UserError, with what there is, when none or several are meant.
    """
    by_folder = read_run(Path(operand)) if os.sep in operand else None
    if by_folder is not None:
        return replace(by_folder, folder=by_folder.folder.resolve())
    runs = all_runs(storage, suite)
    found = matching(runs, operand)
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(run.run_id for run in found[:5])
        raise fault(f"'{operand}' begins the ids of {len(found)} runs: {listed}. Give more of it.", str(storage))
    if not runs:
        raise fault(
            f"there is no run{f' of {suite}' if suite else ''} yet; `polygraft train SUITE` makes one.", str(storage)
        )
    close = nearest(operand, [run.run_id for run in runs])
    raise fault(f"no run is called '{operand}'.{close} The newest is {runs[0].run_id}.", str(storage))


def matching(runs: Sequence[RunRecord], operand: str) -> list[RunRecord]:
    """The runs, newest first, that `operand` may mean: one when it is `latest` or a whole id."""
    if operand == "latest":
        return list(runs[:1])
    whole = [run for run in runs if operand in (run.run_id, run.mlflow_run_id)]
    if whole or not operand:
        return whole
    return [run for run in runs if any(name.startswith(operand) for name in (run.run_id, run.mlflow_run_id or ""))]


def unfinished(storage: Path, suite: str, digest: str) -> RunRecord | None:
    """The newest run of the same resolved suite that is not finished; None when there is none."""
    return next((run for run in all_runs(storage, suite) if run.digest == digest and not run.finished), None)


def point_latest(folder: Path) -> None:
    """Let the link `latest` beside a run's folder point to it; nothing where the file system has no links."""
    temporary = folder.parent / f".latest.{os.getpid()}.partial"
    try:
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(folder.name, target_is_directory=True)
        os.replace(temporary, folder.parent / "latest")
    except OSError:
        temporary.unlink(missing_ok=True)
