"""What a suite's environments and the tasks that learn from them say against each other; the suite alone is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from polygraft.core.catalogue import Catalogue
from polygraft.suite.schema import Named, Suite, TableSuite
from polygraft.suite.words import shown

Found = Iterator[tuple[str, str]]
_OF_ROWS = ("columns", "drop", "weight", "clean", "encode", "series", "by_length", "sampling", "split")


def environment_faults(suite: Suite, objectives: Catalogue) -> Found:
    """(dotted path, what is wrong with it)."""
    played: dict[str, Any] = {name: table.source for name, table in suite.data.items() if table.played}
    for name, source in played.items():
        yield from _source(f"data.{name}.source", source, suite)
        yield from _of_rows(f"data.{name}", suite.data[name])
        tasks = [task for task, each in suite.tasks.items() if name in each.tables]
        if len(tasks) > 1:
            yield f"tasks.{tasks[1]}.data", f"'{name}' is an environment, which one task plays: '{tasks[0]}' does."
    for name, task in suite.tasks.items():
        objective = objectives.get(task.objective.name)
        if objective is None or not all(table in suite.data for table in task.tables):
            continue
        plays, acted = objective.facts.get("plays", False), [table for table in task.tables if table in played]
        if plays and len(acted) < len(task.tables):
            what = f"'{objective.name}' learns by acting, and this is a table."
            yield f"tasks.{name}.data", f"{what} Give it a source like {{environment: CartPole-v1}}."
        if not plays and acted:
            known = ", ".join(each for each in objectives if objectives[each].facts.get("plays"))
            yield (
                f"tasks.{name}.objective",
                f"'{objective.name}' learns from rows, and '{acted[0]}' is an environment. Take {known}.",
            )
        if plays and task.targets:
            yield f"tasks.{name}.target", "an environment has no column to predict. Leave target out."
        if plays and acted:
            yield from _batch(suite, name, objective.facts["learns_from"], played[acted[0]])
    if played:
        yield from _train(suite, len(played) == len(suite.data))


def _source(path: str, source: dict[str, Any], suite: Suite) -> Found:
    if not isinstance(source.get("environment"), str):
        yield path, "names no environment. Write {environment: CartPole-v1}, or {environment: recipe.py:function}."
    instances, shards = source.get("instances", suite.train.shards), suite.train.shards
    if not isinstance(instances, int) or isinstance(instances, bool) or instances < 1:
        yield f"{path}.instances", f"takes a whole number >= 1, not {shown(instances)}."
    elif instances % shards:
        yield (
            f"{path}.instances",
            f"each of {shards} shards plays as many; {instances} cannot be parted so. Take a multiple of {shards}.",
        )


def _of_rows(path: str, table: TableSuite) -> Found:
    for key in _OF_ROWS:
        default = TableSuite.model_fields[key].get_default(call_default_factory=True)
        if _names(getattr(table, key)) != _names(default):
            yield f"{path}.{key}", "is about rows, and an environment has none. Leave it out."


def _names(value: Any) -> Any:
    """Of mentions of plugins the names alone: in a resolved suite their settings are written out."""
    if isinstance(value, list):
        return [_names(each) for each in value]
    return value.name if isinstance(value, Named) else value


def _batch(suite: Suite, task: str, learns_from: str, source: dict[str, Any]) -> Found:
    size, shards = suite.train.batch_size, suite.train.shards
    instances = source.get("instances", shards)
    if size % shards:
        yield (
            "train.batch_size",
            f"'{task}' draws as many rows for each of {shards} shards. Take a multiple of {shards}.",
        )
    elif (
        learns_from == "rollout" and isinstance(instances, int) and instances % shards == 0 and size % (instances or 1)
    ):
        yield (
            "train.batch_size",
            f"'{task}' learns from as many steps of each of {instances} instances. Take a multiple of {instances}.",
        )


def _train(suite: Suite, alone: bool) -> Found:
    train = suite.train
    if train.epochs is not None and alone:
        yield "train.epochs", "an environment has no epochs. Write train.steps, the number of updates."
    if train.mixture.name != "all" and len(suite.data) > 1:
        yield "train.mixture", "environments are played at every step. Take all."
