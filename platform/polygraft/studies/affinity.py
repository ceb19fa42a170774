"""Affinity: which tasks help each other, measured in one joint run, and which of them to train together."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from polygraft.assembly.experiments import experiment
from polygraft.assembly.job import cache_of, lay_out
from polygraft.assembly.run import RESULT, Run
from polygraft.assembly.tables import prepare_tables
from polygraft.core.atomic import write_json, write_text
from polygraft.core.errors import fault
from polygraft.core.logs import log
from polygraft.distributed import launch
from polygraft.distributed.identity import claim, storage_of
from polygraft.report.charts import heat_map, number
from polygraft.report.page import grid, page, section, table
from polygraft.storage.directory import Directory
from polygraft.storage.lock import RunLock
from polygraft.storage.runs import RunRecord, read_run, update_run, write_run
from polygraft.studies.grouping import MOST, Grouping, grouped, score
from polygraft.studies.staged import publish
from polygraft.suite.identity import digest
from polygraft.suite.schema import Suite
from polygraft.tracking.journal import Journal
from polygraft.tracking.mlflow_tracker import tracking_uri
from polygraft.tracking.server import require_reachable
from polygraft.training.affinity import Affinities, Measuring
from polygraft.training.loop import train
from polygraft.training.steps.joint import Joint

FOUND, PAGE = "affinity.json", "affinity.html"
"""What stands in the run's folder."""
Square = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Found:
    """What a run's steps said, [K, K] each: lines whose gradient, columns whose loss; shares of the loss, nan where never seen.

    first_order: mean over `measured` steps. ahead: over `looks` of them, by true look-ahead. agreement: Pearson's correlation of
    both over the ordered pairs of different tasks at the steps that have both; None where they are too few or do not differ.
    """

    tasks: tuple[str, ...]
    first_order: Square
    ahead: Square
    agreement: float | None
    measured: int
    looks: int


@dataclass(frozen=True)
class Affinity:
    """The measurement, and the recommended grouping. folder: of the run; page: its picture."""

    run: str
    folder: Path
    page: Path
    found: Found
    grouping: Grouping

    @property
    def groups(self) -> list[list[str]]:
        """The tasks of each network."""
        return [[self.found.tasks[k] for k in group] for group in self.grouping.groups]

    def to_json(self) -> dict[str, Any]:
        """What `affinity --json` prints."""
        return {
            "run": self.run,
            "folder": str(self.folder),
            "page": str(self.page),
            **asdict(self.found),
            "groups": self.groups,
            "score": self.grouping.score,
        }


def affinity(suite: Suite | str | os.PathLike[str], *, groups: int = 2, tracking: str | None = None) -> Affinity:
    """Train a suite once, in this process, measure how its tasks help each other, and share them among `groups` networks.

    A finished measurement is never made again; other `groups` are read off it. One that was killed begins again from its start.
    tracking: MLflow's URI. Raises UserError for what can be mended, before anything is run.
    """
    suite = suite if isinstance(suite, Suite) else launch.loaded(suite)
    tasks = tuple(name for name, task in suite.tasks.items() if task.weight > 0)
    _require(suite, tasks, groups)
    if suite.workers.most > 1:
        log().warning("affinity runs in this process: 1 worker in place of %d, with the same bits.", suite.workers.most)
        suite = launch.sized(suite, 1)
    uri, _ = tracking_uri(tracking, os.environ, suite.tracking.uri, storage_of(suite))
    require_reachable(uri)
    record = claim(suite, run=f"affinity-{digest(suite)[:12]}")
    with launch.claimed(record.folder) as lock:
        if launch.result_of(record.folder) is None:
            log().info("%s: one joint run of %d tasks", record.run_id, len(tasks))
            _measure(suite, record, lock, tracking)
        found = read(record.folder / FOUND)
        result = Affinity(record.run_id, record.folder, record.folder / PAGE, found, grouped(found.first_order, groups))
        write_text(result.page, drawn(suite.suite, result))
    return result


def summed_up(tasks: Sequence[str], all_tasks: Sequence[str], steps: Sequence[Affinities]) -> Found:
    """Means over a run's measurements, of some of its tasks."""
    index = torch.tensor([all_tasks.index(task) for task in tasks])
    first = torch.stack([each.first_order for each in steps])[:, index][:, :, index]
    both = [(number, each.ahead) for number, each in enumerate(steps) if each.ahead is not None]
    ahead = torch.stack([each for _, each in both])[:, index][:, :, index]
    apart = ~torch.eye(len(tasks), dtype=torch.bool)
    pairs = torch.stack([first[[number for number, _ in both]][:, apart].flatten(), ahead[:, apart].flatten()])
    pairs = pairs[:, pairs.isfinite().all(0)]
    told = pairs.shape[1] >= 3 and bool((pairs.std(1) > 0).all())
    return Found(
        tuple(tasks),
        _square(first.nanmean(0).tolist()),
        _square(ahead.nanmean(0).tolist()),
        float(torch.corrcoef(pairs)[0, 1]) if told else None,
        len(steps),
        len(both),
    )


def write(found: Found, path: Path) -> None:
    """As JSON, which has no nan: null."""
    squares = {
        name: [[None if math.isnan(each) else each for each in line] for line in getattr(found, name)]
        for name in ("first_order", "ahead")
    }
    write_json(path, asdict(found) | squares)


def read(path: Path) -> Found:
    """What `write` wrote."""
    fields = json.loads(path.read_text())
    for name in ("first_order", "ahead"):
        fields[name] = _square([[math.nan if each is None else each for each in line] for line in fields[name]])
    return Found(**fields | {"tasks": tuple(fields["tasks"])})


def drawn(suite: str, result: Affinity) -> str:
    """The page: both matrices, and the networks."""
    found = result.found
    maps = [
        _map(title, found.tasks, square)
        for title, square in (("First order", found.first_order), ("True look-ahead", found.ahead))
    ]
    words = (
        "By how much of its loss a step along the line's gradient of the shared parameters lowers the column's task."
    )
    agreement = "not known" if found.agreement is None else f"{found.agreement:.3f}"
    rows = [
        (str(number_), ", ".join(names), number(100 * score(found.first_order, group)))
        for number_, (names, group) in enumerate(zip(result.groups, result.grouping.groups, strict=True), 1)
    ]
    caption = "Score: the sum over tasks of the mean affinity from the others of the network, %."
    return page(
        f"{suite}: affinity of tasks",
        f"{result.run}: {found.measured} measurements, {found.looks} look-aheads, agreement {agreement}",
        [
            section("Affinity", grid(maps), words=words),
            section("Networks", table(caption, ("network", "tasks", "score"), rows, words=2)),
        ],
    )


def _map(title: str, tasks: Sequence[str], square: Square) -> str:
    """Of different tasks: a task's own gain, by far the largest, would leave the others without colour."""
    told = {pair: value for pair, value in _percent(tasks, square).items() if pair[0] != pair[1]}
    most = max((abs(each) for each in told.values() if math.isfinite(each)), default=0.0) or 1.0
    shares = {pair: value / most for pair, value in told.items()}
    return heat_map(f"{title}, 1.00 = {number(most)} %", tasks, shares, between="onto")


def _require(suite: Suite, tasks: Sequence[str], groups: int) -> None:
    """Raises UserError where there is nothing to group, or no way to."""
    if len(tasks) < 2:
        raise fault("affinity is between tasks, and fewer than two of this suite's are learned.", suite.where("tasks"))
    if len(tasks) > MOST:
        mend = "Leave some out with --set tasks.NAME.weight=0."
        raise fault(f"{len(tasks)} tasks; groupings of at most {MOST} are found. {mend}", suite.where("tasks"))
    if not 1 <= groups <= len(tasks):
        raise fault(f"{len(tasks)} tasks make 1 to {len(tasks)} groups, not {groups}.", "--groups")


def _measure(suite: Suite, record: RunRecord, lock: RunLock, tracking: str | None) -> None:
    """The joint run, from its first step to its last, with what it said in its folder."""
    folder, began = record.folder, time.time()
    torch.set_num_threads(suite.workers.threads)
    tables = prepare_tables(suite, cache_of(folder))
    running = experiment(suite, tables)
    if not isinstance(running.step, Joint) or not running.gradients.shared:
        what = "the tasks share no parameter" if isinstance(running.step, Joint) else "the step is not `joint`"
        raise fault(f"affinity is measured on the shared parameters of joint steps; {what}.", suite.where("train"))
    running.step = measuring = Measuring(running.step)
    if read_run(folder) is None:
        lay_out(suite, folder)
        write_run(record)
    update_run(folder, status="running", attempt=lock.attempt)
    journal = Journal(folder / "metrics.jsonl", guard=lock.guard, attempt=lock.attempt)
    with TemporaryDirectory(dir=folder) as scratch:  # a checkpoint holds no measurements: none outlives the attempt
        state = train(running, journal, Directory(Path(scratch), keep=suite.train.keep, guard=lock.guard))
    learned = [name for name, task in suite.tasks.items() if task.weight > 0]
    found = summed_up(learned, running.gradients.tasks, measuring.found)
    journal.log(_named(found), state.step)
    journal.close()
    write(found, folder / FOUND)
    mlflow_run_id = publish(suite, record, tables, {"polygraft.study": "affinity"}, tracking)
    seconds = round(time.time() - began, 3)
    result = Run(record.run_id, folder, "finished", state.step, mlflow_run_id=mlflow_run_id, seconds=seconds)
    write_json(folder / RESULT, result.to_json())
    update_run(folder, status="finished", step=state.step, mlflow_run_id=mlflow_run_id)


def _named(found: Found) -> dict[str, float]:
    """What the history is told: the mean first order of each pair that was seen."""
    told = _percent(found.tasks, found.first_order)
    return {f"affinity/{i}/{j}": value / 100 for (i, j), value in told.items() if math.isfinite(value)}


def _percent(tasks: Sequence[str], square: Square) -> Mapping[tuple[str, str], float]:
    return {(i, j): 100 * square[m][n] for m, i in enumerate(tasks) for n, j in enumerate(tasks)}


def _square(lines: Sequence[Sequence[float]]) -> Square:
    return tuple(tuple(line) for line in lines)
