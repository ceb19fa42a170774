"""Affinity: which tasks help each other, measured in one joint run, and which of them to train together."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from polygraft.core.errors import fault
from polygraft.distributed import launch
from polygraft.report.affinity_report import Network, write_affinity_report
from polygraft.studies.affinity_history import Agreement, Found, Square, found_in
from polygraft.studies.grouping import MOST, Grouping, grouped, score
from polygraft.suite.identity import digest
from polygraft.suite.load import read as read_suite
from polygraft.suite.origin import Origin
from polygraft.suite.schema import Suite, resolved
from polygraft.tracking.journal import history, read

PAGE = "affinity.html"
"""What stands in the run's folder, beside what every run leaves there."""


@dataclass(frozen=True)
class Affinity:
    """The measurement, and the recommended grouping. folder: of the run; page: its picture."""

    run: str
    folder: Path
    page: Path
    found: Found
    grouping: Grouping

    @property
    def networks(self) -> list[Network]:
        """The tasks of each network, with its score."""
        tasks, square = self.found.tasks, self.found.first_order
        return [Network(tuple(tasks[k] for k in group), score(square, group)) for group in self.grouping.groups]

    def to_json(self) -> dict[str, Any]:
        """What `affinity --json` prints; null where nothing is known."""
        squares = {name: _nulled(getattr(self.found, name)) for name in ("first_order", "ahead")}
        return {
            "run": self.run,
            "folder": str(self.folder),
            "page": str(self.page),
            **asdict(self.found),
            **squares,
            "groups": [list(each.tasks) for each in self.networks],
            "score": self.grouping.score,
        }


def affinity(
    suite: Suite | str | os.PathLike[str], *, groups: int = 2, tracking: str | None = None, progress: bool = True
) -> Affinity:
    """Train a suite once, measure how its tasks help each other, and share them among `groups` networks.

    The run is one like any other, under the suite's name with `-affinity`, on as many workers as the suite says: a killed or
    interrupted one goes on with the same call, and a finished one is never made again, whatever the `groups`.
    tracking: MLflow's URI. progress: draw on stderr how far it is.
    Raises UserError for what can be mended, RunFailed when the run cannot go on, Interrupted (a KeyboardInterrupt), with
    everything saved, after Ctrl-C or SIGTERM.
    """
    suite = suite if isinstance(suite, Suite) else launch.loaded(suite)
    tasks = tuple(name for name, task in suite.tasks.items() if task.weight > 0)
    _require(suite, tasks, groups)
    measured = measuring(suite)
    run = launch.train(
        measured,
        run=f"affinity-{digest(measured)[:12]}",
        register=False,
        progress=progress,
        tracking=tracking,
        tags={"polygraft.study": "affinity"},
    )
    found = found_in(history(read(run.folder / "metrics.jsonl")), tasks)
    result = Affinity(run.run_id, run.folder, run.folder / PAGE, found, grouped(found.first_order, groups))
    squares = {"First order": found.first_order, "True look-ahead": found.ahead}
    write_affinity_report(result.page, suite.suite, in_words(found), tasks, squares, networks=result.networks)
    return result


def measuring(suite: Suite) -> Suite:
    """The suite as a run that measures: its step, and its name, so that its own runs and models stay apart."""
    content = resolved(suite) | {"suite": f"{suite.suite}-affinity", "search": {}}
    content["train"] = content["train"] | {"step": {"name": "measuring"}}
    return read_suite(content, Origin(suite.file, suite.folder, {"": suite.file}))


def in_words(found: Found) -> str:
    """How much was measured, and how far both ways to measure agree."""
    return f"{found.measured} measurements, {found.looks} with a true look-ahead; {agreement_in_words(found.agreement)}"


def agreement_in_words(told: Agreement) -> str:
    """`after the first step they agree with r 0.98 on average, 0.95 at worst, and in 96 % of the signs`."""
    if told.signs is None:
        return "too few to say how far they agree"
    correlation = "" if told.mean is None else f"with r {told.mean:.3f} on average, {told.worst:.3f} at worst, and "
    return f"after the first step they agree {correlation}in {told.signs:.0%} of the signs"


def _nulled(square: Square) -> list[list[float | None]]:
    return [[None if math.isnan(each) else each for each in line] for line in square]


def _require(suite: Suite, tasks: Sequence[str], groups: int) -> None:
    """Raises UserError where there is nothing to group, or no way to."""
    if len(tasks) < 2:
        raise fault("affinity is between tasks, and fewer than two of this suite's are learned.", suite.where("tasks"))
    if len(tasks) > MOST:
        mend = "Leave some out with --set tasks.NAME.weight=0."
        raise fault(f"{len(tasks)} tasks; groupings of at most {MOST} are found. {mend}", suite.where("tasks"))
    if not 1 <= groups <= len(tasks):
        raise fault(f"{len(tasks)} tasks make 1 to {len(tasks)} groups, not {groups}.", "--groups")
    if suite.train.step.name not in ("joint", "measuring"):
        what = f"affinity is measured beside joint steps, and this suite's are {suite.train.step.name}."
        raise fault(f"train.step: {what} Take --set train.step=joint.", suite.where("train.step"))
