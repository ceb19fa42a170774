"""What the driver does with a finished run: its model to MLflow and the registry, its result and report to its folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from polygraft.assembly.job import cache_of
from polygraft.assembly.model import Model
from polygraft.assembly.run import MODEL, RESULT, SUITE, Run
from polygraft.assembly.tables import table_spec
from polygraft.core.atomic import write_json
from polygraft.data.environments import first_observations
from polygraft.data.preparation import Prepared, raw_table
from polygraft.report.run_report import write_report
from polygraft.storage.runs import RunRecord
from polygraft.suite.schema import Suite, resolved
from polygraft.tracking.mlflow_tracker import MlflowTracker, RunFacts
from polygraft.tracking.model_registry import ModelRegistry
from polygraft.tracking.model_upload import log_model
from polygraft.tracking.provenance import git_commit

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE_ROWS = 5


def facts_of(
    suite: Suite, record: RunRecord, prepared: Mapping[str, Prepared], *, tags: Mapping[str, str] | None = None
) -> RunFacts:
    """What MLflow is told of the run when it begins. tags: what else the run is to be found by."""
    tags = {f"polygraft.data.{name}": table.fingerprint for name, table in prepared.items()} | dict(tags or {})
    commit = git_commit(suite.folder)
    if commit:
        tags["mlflow.source.git.commit"] = commit
    return RunFacts(
        run_id=record.run_id,
        suite=suite.tracking.experiment or suite.suite,
        storage=record.folder.parent.parent,
        settings=resolved(suite),
        tags=tags,
        files=(record.folder / SUITE,),
    )


def publish(
    suite: Suite, run: Run, tracker: MlflowTracker, prepared: Mapping[str, Prepared], *, uri: str, register: bool
) -> Run:
    """Log and register the model that the run left in its folder; the result as it stands then, written to the folder."""
    folder = run.folder / MODEL
    example = example_rows(suite, run, prepared)
    predictions = Model.load(folder).predict(example, next(iter(prepared)))
    model_uri = log_model(tracker, folder, example, predictions, tables=len(prepared))
    registered = None
    if register:
        version = ModelRegistry(uri).register(suite.suite, model_uri, tracker)
        registered = f"models:/{version.name}/{version.number}"
    result = replace(run, model_uri=registered, seconds=round(run.seconds + time.time() - _left(run), 3))
    write_json(run.folder / RESULT, result.to_json())
    tracker.artifact(write_report(run.folder))
    return result


def example_rows(suite: Suite, run: Run, prepared: Mapping[str, Prepared]) -> pd.DataFrame:
    """The first rows of the first table as the model wants them: raw, without targets."""
    import pandas as pd

    name, table = next(iter(prepared.items()))
    if table.environment is not None:
        return pd.DataFrame(
            first_observations(table.environment, EXAMPLE_ROWS), columns=list(table.preprocessor.columns)
        )
    raw = raw_table(table_spec(suite, name), cache_of(run.folder)).slice(0, EXAMPLE_ROWS)
    frame: pd.DataFrame = raw.select(list(table.preprocessor.columns)).to_pandas()
    return frame


def _left(run: Run) -> float:
    """When the work left its result."""
    return (run.folder / RESULT).stat().st_mtime
