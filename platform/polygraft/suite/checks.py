"""Checks: what the schema cannot say of one key alone; the suite alone is looked at, never its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from polygraft.core.catalogue import Catalogue, Plugin, catalogue
from polygraft.core.errors import nearest
from polygraft.suite.environments import environment_faults
from polygraft.suite.mentions import mentions
from polygraft.suite.mixing import mixing_faults
from polygraft.suite.schema import SplitSuite, Suite, TableSuite, TaskSuite, resolved
from polygraft.suite.sections import BALANCER_KEYS
from polygraft.suite.series import series_faults
from polygraft.suite.target_kinds import columns_in_words, target_kind
from polygraft.suite.words import shown

Found = Iterator[tuple[str, str]]
"""(dotted path, what is wrong with it)."""


class Rooms(dict[str, Catalogue]):
    """The catalogues of the rooms as one suite sees them, each read when it is first asked for."""

    def __init__(self, beside: Path) -> None:
        super().__init__()
        self.beside = beside

    def __missing__(self, room: str) -> Catalogue:
        self[room] = catalogue(room, self.beside)
        return self[room]


def plugin_faults(suite: Suite, rooms: Mapping[str, Catalogue]) -> Found:
    """Unknown plugins and settings, values that do not fit, and what the balancer's kind does not allow: modes, reuse."""
    for path, room, mention in mentions(suite):
        for key, what in rooms[room].problems(mention.name, mention.settings):
            yield f"{path}.{key}", what
    balancer = rooms["balancing"].get(suite.balancer.name)
    modes = balancer.facts.get("modes", ()) if balancer else ()
    if modes and suite.balancer.gradients not in ("auto", *modes):
        yield (
            "balancer.gradients",
            f"'{suite.balancer.name}' is defined on {' and '.join(modes)}, not on {suite.balancer.gradients}. Take auto or one of those.",
        )
    if balancer and suite.balancer.every > 1 and balancer.facts.get("elementwise"):
        yield (
            "balancer.every",
            f"'{suite.balancer.name}' combines the gradients element by element and has no weights to reuse. "
            "Leave every out, or take a balancer that gives each task a weight.",
        )


def completed(suite: Suite, rooms: Mapping[str, Catalogue]) -> Suite:
    """The suite with the defaults of every plugin's settings written in; mentions with a fault are left as they are."""
    content = resolved(suite)
    for path, room, mention in mentions(suite):
        if rooms[room].problems(mention.name, mention.settings):
            continue
        holder: Any = content
        *steps, last = path.split(".")
        for step in steps:
            holder = holder[int(step)] if isinstance(holder, list) else holder[step]
        own = content["balancer"] if room == "balancing" else {}
        kept = {key: own[key] for key in BALANCER_KEYS if key in own}
        full = {"name": mention.name, **rooms[room][mention.name].complete(mention.settings), **kept}
        holder[int(last) if isinstance(holder, list) else last] = full
    return Suite.model_validate(content)


def cross_faults(suite: Suite, tables: Sequence[str], tasks: Sequence[str], rooms: Mapping[str, Catalogue]) -> Found:
    """What two keys say against each other. tables, tasks: the names in the text, those of faulty sections too."""
    if not tables:
        yield "data", "is empty; a suite has at least one table."
    if not tasks:
        yield "tasks", "is empty; a suite has at least one task."
    for name, table in suite.data.items():
        yield from _table(f"data.{name}", table)
    for name, task in suite.tasks.items():
        yield from _task(f"tasks.{name}", task, suite, tables)
        yield from _asked(f"tasks.{name}", task, rooms["objectives"].get(task.objective.name))
    yield from _by_task(suite, tasks, rooms["balancing"].get(suite.balancer.name))
    yield from _train(suite, tasks, rooms)
    yield from mixing_faults(suite, tables, rooms)
    yield from series_faults(suite)
    yield from environment_faults(suite, rooms["objectives"])
    step = rooms["training/steps"].get(suite.train.step.name)
    yield from _workers(suite, step)
    yield from _apart(suite, step, rooms["balancing"].get(suite.balancer.name))
    if suite.transfer is not None:
        yield "transfer", "plans are not built into this version. Leave transfer out: one phase then trains everything."


def _table(path: str, table: TableSuite) -> Found:
    if table.weight in table.drop:
        yield f"{path}.weight", f"the column '{table.weight}' is also dropped. Take it out of {path}.drop."
    yield from _split(f"{path}.split", table.split)


def _split(path: str, split: SplitSuite) -> Found:
    if split.by == "random" and split.column is not None:
        yield (
            f"{path}.column",
            "a random split looks at no column. Take by: time, by: group or by: column, or leave column out.",
        )
    if split.by != "random" and split.column is None:
        yield path, f"by: {split.by} needs column:, the column that it looks at."
    if split.by == "column":
        return
    shares = {"validation": split.validation, "test": split.test}
    for key, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, float) or not 0 <= share < 1:
            yield f"{path}.{key}", f"takes a share of the rows, 0 <= share < 1, not {shown(share)}."
            return
    if split.validation == 0:
        yield f"{path}.validation", "takes a share > 0: the best model is chosen on validation."
    if sum(float(share) for share in shares.values()) >= 1:
        yield path, f"validation {split.validation} and test {split.test} leave no row for training."


def _task(path: str, task: TaskSuite, suite: Suite, tables: Sequence[str]) -> Found:
    for each in task.tables:
        if each not in tables:
            yield f"{path}.data", f"there is no table '{each}'.{nearest(each, tables)} data has {', '.join(tables)}."
    for each in [table for table in task.tables if table in suite.data]:
        table, at = suite.data[each], f"data.{each}"
        for target in task.targets:
            told = f"the column '{target}' is also"
            if target in table.drop:
                yield f"{path}.target", f"{told} dropped. Take it out of {at}.drop; a target is no feature."
            if target in table.encode:
                yield f"{path}.target", f"{told} a feature: {at}.encode names it. Take it out there."
            if target == table.weight:
                yield f"{path}.target", f"{told} the row weight of '{each}'."
    if task.each is not None:
        yield f"{path}.each", "one task of each value is not built into this version. Write the tasks out."


def _asked(path: str, task: TaskSuite, objective: Plugin | None) -> Found:
    """What the task's objective wants of it, by its facts: `tables` (1 where it says nothing) and the `target`'s kinds."""
    if objective is None:
        return
    name, tables, kinds = objective.name, objective.facts.get("tables", 1), objective.facts.get("target")
    if len(task.tables) != tables:
        yield f"{path}.data", f"'{name}' learns from {tables} table{'s' * (tables > 1)}, not {len(task.tables)}."
    if not kinds and task.targets and not objective.facts.get("plays"):
        mend = "Leave target out, or take an objective that predicts it."
        yield f"{path}.target", f"'{name}' learns without labels. {mend}"
    if not kinds:
        return
    if not task.targets:
        yield f"{path}.target", f"is missing; '{name}' predicts {columns_in_words(kinds)}."
    elif target_kind(kinds, len(task.targets)) is None:
        more = " Make a task of each." if len(task.targets) > 1 else ""
        yield f"{path}.target", f"'{name}' predicts {columns_in_words(kinds)}, not {len(task.targets)}.{more}"


def _by_task(suite: Suite, tasks: Sequence[str], balancer: Plugin | None) -> Found:
    """Tasks that the balancer's settings name, by its fact `by_task`, and that the suite does not have."""
    for setting in balancer.facts.get("by_task", ()) if balancer else ():
        named = suite.balancer.settings.get(setting)
        for task in named if isinstance(named, Mapping) else ():
            if task not in tasks:
                what = f"there is no task '{task}'.{nearest(str(task), tasks)} tasks has {', '.join(tasks)}."
                yield f"balancer.{setting}.{task}", what


def _train(suite: Suite, tasks: Sequence[str], rooms: Mapping[str, Catalogue]) -> Found:
    train = suite.train
    if train.steps is None and train.epochs is None:
        yield "train", "says not how long. Write steps: 2000, or epochs: 5."
    if train.steps is not None and train.epochs is not None:
        yield "train.epochs", f"steps: {train.steps:,} is given, too. Keep one of them."
    if train.best is not None:
        task, slash, metric = train.best.partition("/")
        if not (slash and metric):
            yield "train.best", f"takes task/metric, for example {next(iter(tasks), 'late')}/auc, not '{train.best}'."
        elif task not in tasks:
            yield "train.best", f"there is no task '{task}'.{nearest(task, tasks)} tasks has {', '.join(tasks)}."
        elif task in suite.tasks and metric not in (known := _metrics(suite.tasks[task], rooms)) and known:
            yield (
                "train.best",
                f"the task '{task}' has no metric '{metric}'.{nearest(metric, known)} It has {', '.join(known)}.",
            )
    if train.batch_size < train.shards:
        yield (
            "train.batch_size",
            f"{train.batch_size:,} rows cannot be cut into {train.shards} shards. Take at least that many.",
        )


def _metrics(task: TaskSuite, rooms: Mapping[str, Catalogue]) -> list[str]:
    """The metrics of the task's objective, by its fact `better`; empty where it names none."""
    objective = rooms["objectives"].get(task.objective.name)
    return list(objective.facts.get("better", ())) if objective else []


def _workers(suite: Suite, step: Plugin | None) -> Found:
    """Where the workers learn apart, the first one of them learns nothing."""
    workers, keepers = suite.workers, int(step is not None and step.facts.get("apart", False))
    if keepers and workers.least < 2:
        yield (
            "workers",
            f"'{suite.train.step.name}' takes at least 2: the first keeps the parameters, the others learn.",
        )
    if (workers.min is None) != (workers.max is None):
        yield "workers", "min: and max: go together; count: alone is a fixed number."
    elif workers.min is not None and workers.min > workers.most:
        yield "workers.min", f"takes at most max: {workers.most}, not {workers.min}."
    elif workers.max is not None and not workers.least <= workers.count <= workers.max:
        yield "workers.count", f"takes a number between min and max, not {workers.count}."
    if suite.train.shards < workers.most - keepers:
        few = f"{suite.train.shards} shards are too few for {workers.most - keepers} workers, each runs at least one."
        yield "train.shards", f"{few} Leave shards out, or take at least {workers.most - keepers}."


def _apart(suite: Suite, step: Plugin | None, balancer: Plugin | None) -> Found:
    """What workers that learn apart cannot do: a learner never sees the parameters that its own gradient moved."""
    if step is not None and step.facts.get("apart") and balancer is not None and balancer.facts.get("observes"):
        yield (
            "balancer",
            f"'{suite.balancer.name}' looks back at the losses after each update, and '{step.name}' has no such moment. Take another.",
        )
