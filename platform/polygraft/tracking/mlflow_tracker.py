"""MLflow: the same numbers as the journal, step by step, where people look for them."""

from __future__ import annotations

import getpass
import logging
import os
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from polygraft.core.errors import UserError, fault
from polygraft.tracking.base import Tracker
from polygraft.tracking.journal import Entry
from polygraft.tracking.provenance import flat, metric_key
from polygraft.tracking.server import require_reachable, shown

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RUN_ID_TAG = "polygraft.run_id"
# mlflow's modules import one another in circles: two threads that import it at once find some half made.
_IMPORTING = threading.Lock()
MOST_METRICS_A_CALL = 1000
MOST_PARAMETERS_A_CALL = 100


@dataclass(frozen=True)
class RunFacts:
    """What MLflow is told of a run when it begins.

    storage: artifacts of a database without a server go to `<storage>/artifacts`. settings: the resolved suite. tags: e.g.
        `mlflow.source.git.commit`, data fingerprints. files: kept as artifacts, e.g. the run's `suite.yaml`.
    """

    run_id: str
    suite: str
    storage: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


class MlflowTracker(Tracker):
    """One MLflow run. As a listener of the journal it takes entries; called directly it is a tracker of its own.

    A point's time is the run's start and its step in milliseconds, so a replayed point equals the first and is stored once;
    clocks carry their wall time.
    """

    def __init__(self, client: MlflowClient, run: Run) -> None:
        self.client, self.run_id = client, str(run.info.run_id)
        self.experiment_id = str(run.info.experiment_id)
        self._start_ms = int(run.info.start_time)

    def __call__(self, entries: Sequence[Entry]) -> None:
        """Send entries; sent again after a failure, none is stored twice."""
        from mlflow.entities import Metric

        metrics = [
            Metric(metric_key(key), value, self._time_ms(entry), entry.step)
            for entry in entries
            for key, value in entry.values.items()
        ]
        for first in range(0, len(metrics), MOST_METRICS_A_CALL):
            self.client.log_batch(self.run_id, metrics=metrics[first : first + MOST_METRICS_A_CALL])

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Send one step's values."""
        self([Entry(step, {key: float(value) for key, value in values.items()})])

    def artifact(self, path: Path) -> None:
        """Upload a file, or a folder under its name."""
        if path.is_dir():
            self.client.log_artifacts(self.run_id, str(path), artifact_path=path.name)
        else:
            self.client.log_artifact(self.run_id, str(path))

    def rewind(self, step: int) -> None:
        """Nothing: MLflow's history cannot be cut, and an equal point is stored once."""

    def flush(self) -> None:
        """Nothing: every call is complete when it returns."""

    def end(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """Mark the run as ended; opened again, it runs again."""
        self.client.set_terminated(self.run_id, status=status)

    def _time_ms(self, entry: Entry) -> int:
        return self._start_ms + entry.step if entry.time is None else int(entry.time * 1000)


def tracking_uri(flag: str | None, environment: Mapping[str, str], suite: str | None, storage: Path) -> tuple[str, str]:
    """Where runs are tracked, and which said so: `flag`, `environment`, `suite` or `default`."""
    for uri, which in ((flag, "flag"), (environment.get("MLFLOW_TRACKING_URI"), "environment"), (suite, "suite")):
        if uri:
            return uri, which
    return f"sqlite:///{storage.resolve()}/mlflow.db", "default"


def open_run(uri: str, facts: RunFacts) -> MlflowTracker:
    """Begin the MLflow run of `facts.run_id`, or go on with it. Takes 3 to 5 s of imports and table making: use a thread.

    Raises UserError within 15 s when the server does not answer or refuses.
    """
    require_reachable(uri)
    client = open_client(uri)
    try:
        experiment = _experiment(client, uri, facts)
        found = client.search_runs([experiment], f"tags.`{RUN_ID_TAG}` = '{facts.run_id}'", max_results=1)
        if found:
            run = found[0]
            client.update_run(run.info.run_id, status="RUNNING")
        else:
            tags = {RUN_ID_TAG: facts.run_id, "mlflow.user": _user(), **facts.tags}
            run = client.create_run(experiment, tags=tags, run_name=facts.run_id)
        _log_parameters(client, run, flat(facts.settings))
        for path in facts.files:
            client.log_artifact(run.info.run_id, str(path))
    except Exception as error:
        raise refused(uri, error) from error
    return MlflowTracker(client, run)


def open_client(uri: str) -> MlflowClient:
    """A client of the tracking server or database. Raises UserError when that is not to be had."""
    quieten()
    with _IMPORTING:
        from mlflow import MlflowClient

    try:
        if uri.startswith("sqlite:///"):
            _make_whole(Path(uri.removeprefix("sqlite:///")))
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    except Exception as error:
        raise refused(uri, error) from error


def _make_whole(database: Path) -> None:
    """A SQLite database that stands under its name with all its tables, or not at all.

    MLflow makes them one by one: killed meanwhile, it would leave what it could never open again.
    """
    from mlflow import MlflowClient

    if database.exists():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    made = database.with_name(f".{database.name}.{uuid4().hex}.partial")  # MLflow remembers what it has opened by name
    MlflowClient(tracking_uri=f"sqlite:///{made}", registry_uri=f"sqlite:///{made}").search_experiments(max_results=1)
    try:
        os.link(made, database)
    except FileExistsError:
        made.unlink()  # another run has made it in this moment
    except OSError:  # a file system without hard links
        made.replace(database)
    else:
        made.unlink()


def quieten() -> None:
    """Ask MLflow, before it is imported, not to phone home, to give up in time and to keep its own affairs to itself."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module=r"(mlflow|sqlalchemy|alembic)\b")


def refused(uri: str, error: Exception) -> UserError:
    """MLflow's refusal as an error that a person can mend."""
    if isinstance(error, UserError):
        return error
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    return fault(f"MLflow cannot be used: {reason} Another place is set by MLFLOW_TRACKING_URI.", shown(uri))


def _experiment(client: MlflowClient, uri: str, facts: RunFacts) -> str:
    """The id of the experiment that bears the suite's name; made where it is missing."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(facts.suite)
    if found is None:
        # A server knows its own place for artifacts; a bare database does not, and would take the working folder.
        place = None if uri.startswith("http") else (facts.storage.resolve() / "artifacts" / facts.suite).as_uri()
        try:
            return str(client.create_experiment(facts.suite, artifact_location=place))
        except MlflowException:
            found = client.get_experiment_by_name(facts.suite)  # another run has made it in this moment
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        mend = f"`mlflow experiments restore --experiment-id {found.experiment_id}` brings it back"
        raise fault(f"the experiment '{facts.suite}' was deleted in MLflow; {mend}.", shown(uri))
    return str(found.experiment_id)


def _log_parameters(client: MlflowClient, run: Run, parameters: Mapping[str, str]) -> None:
    """Those that are not there yet: MLflow lets no parameter change, and a run may have been killed halfway through them."""
    from mlflow.entities import Param

    missing = [Param(key, value) for key, value in parameters.items() if key not in run.data.params]
    for first in range(0, len(missing), MOST_PARAMETERS_A_CALL):
        client.log_batch(run.info.run_id, params=missing[first : first + MOST_PARAMETERS_A_CALL])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())
