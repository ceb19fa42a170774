"""From a suite's words about tables to encoded rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from polygraft.core.catalogue import catalogue
from polygraft.core.errors import Fault, UserError
from polygraft.data.batches import batch_size_faults
from polygraft.data.environment_tables import prepare_environment
from polygraft.data.environments import EnvironmentSpec
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.spec import SeriesSpec, SplitSpec, TableSpec, TargetSpec, WindowSpec, ahead_name
from polygraft.data.streaming import Runner, one_by_one
from polygraft.suite.schema import Suite, TableSuite, TaskSuite
from polygraft.suite.target_kinds import target_kind


@dataclass(frozen=True)
class Place:
    """Finds `file:line` of a path inside one table of a suite; a task's target is found where the task stands."""

    suite: Suite
    table: str

    def __call__(self, path: str) -> str:
        """The place of `columns.month` or `targets.late`."""
        if path.startswith("targets."):
            return self.suite.where(f"tasks.{path.removeprefix('targets.')}.target")
        return self.suite.where(f"data.{self.table}.{path}" if path else f"data.{self.table}")


def prepare_tables(suite: Suite, cache: Path, runner: Runner = one_by_one) -> dict[str, Prepared]:
    """Every table of the suite, encoded, in the suite's order; from the cache where it is there.

    runner: cleans the parts of tables that are larger than the memory they are allowed.

    Raises UserError with the faults of all tables.
    """
    faults: list[Fault] = []
    prepared: dict[str, Prepared] = {}
    for name in suite.data:
        try:
            if suite.data[name].played:
                (task,) = tasks_of(suite, name)
                prepared[name] = prepare_environment(environment_spec(suite, name), task, cache)
            else:
                prepared[name] = prepare(table_spec(suite, name), cache, runner)
        except UserError as error:
            faults.extend(error.faults)
    rows = {name: len(table.splits["train"]) for name, table in prepared.items() if table.environment is None}
    place = suite.where("train.batch_size")
    faults += [Fault(place, each.what) for each in batch_size_faults(rows, suite.train.batch_size, suite.train.shards)]
    if faults:
        raise UserError(faults)
    return prepared


def table_spec(suite: Suite, name: str) -> TableSpec:
    """What the data room is told of one table."""
    table: TableSuite = suite.data[name]
    return TableSpec(
        name=name,
        sources=(cast(str, table.source),),
        folder=suite.folder,
        columns=table.columns,
        drop=tuple(table.drop),
        weight=table.weight,
        clean=tuple((step.name, step.settings) for step in table.clean),
        encode={column: (encoder.name, encoder.settings) for column, encoder in table.encode.items()},
        sampling=(table.sampling.name, table.sampling.settings),
        series=_series(suite, name),
        by_length=table.by_length,
        split=SplitSpec(**table.split.model_dump()),
        targets=tuple(
            TargetSpec(task, tuple(each.targets), _kind(suite, each))
            for task, each in tasks_of(suite, name).items()
            if each.targets
        ),
        seed=suite.seed,
        memory=table.memory_bytes,
        where=Place(suite, name),
        plugins=suite.folder,
    )


def environment_spec(suite: Suite, name: str) -> EnvironmentSpec:
    """What the data room is told of a table that is an environment."""
    said = dict(cast(dict[str, Any], suite.data[name].source))
    return EnvironmentSpec(
        table=name,
        source=said.pop("environment"),
        instances=said.pop("instances", suite.train.shards),
        arguments=said,
        seed=suite.seed,
        folder=suite.folder,
        place=suite.where(f"data.{name}.source"),
    )


def _series(suite: Suite, name: str) -> SeriesSpec | None:
    """What the data room is told of a table's series: of what lies ahead only what a task asks for, for it is no feature."""
    said = suite.data[name].series
    if said is None:
        return None
    asked = {column for task in tasks_of(suite, name).values() for column in task.targets}
    ahead = {
        column: tuple(each for each in rows if ahead_name(column, each) in asked) for column, rows in said.ahead.items()
    }
    return SeriesSpec(
        said.time,
        tuple(said.by),
        {column: tuple(lags) for column, lags in said.lags.items()},
        {column: WindowSpec(each.length, each.lag) for column, each in said.windows.items()},
        {column: rows for column, rows in ahead.items() if rows},
        said.season,
    )


def tasks_of(suite: Suite, table: str) -> Mapping[str, TaskSuite]:
    """The tasks that learn from a table, in the suite's order."""
    return {name: task for name, task in suite.tasks.items() if table in task.tables}


def _kind(suite: Suite, task: TaskSuite) -> str:
    """What the task's objective makes of its target."""
    said = catalogue("objectives", suite.folder)[task.objective.name].facts["target"]
    return cast(str, target_kind(said, len(task.targets)))
