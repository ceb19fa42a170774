"""What a comparison came to: figures by arm and seed, gains over what joint training is held against, and plain words."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

from polygraft.studies.arms import FEATURES, Arm, Trial
from polygraft.studies.gains import Estimate, by_task, delta_m, delta_p, estimate, gains

NAMES = {
    "single": "single-task runs",
    "static": "tuned static weights",
    **{f"staged:{features}": f"the staged pipeline ({features})" for features in FEATURES},
}
"""What joint training is held against, by the arms' words."""

Figures = dict[str, float]
"""By `<task>/<metric>`, on the test rows."""


@dataclass(frozen=True)
class Row:
    """A line of the tidy CSV. value: on the test rows. steps: of the run. seconds: of its training.

    Both count the first stage that a staged run stands on, which its tasks share, as the tasks of a joint run share all.
    """

    balancer: str
    sharing: str
    seed: int
    task: str
    metric: str
    value: float
    steps: int
    seconds: float


@dataclass(frozen=True)
class Verdict:
    """How a joint arm stands against another way; gains in shares. tasks: each task's mean gain."""

    arm: Arm
    against: str
    delta_m: Estimate
    delta_p: Estimate
    tasks: Mapping[str, Estimate]

    @property
    def result(self) -> str:
        """`wins` or `loses` where an interval leaves 0 out and the other does not say the contrary; else `open`. Without an
        interval, `ahead` or `behind`: both means say so, of one seed.
        """
        both = (self.delta_m, self.delta_p)
        if self.delta_m.half is None:
            return "ahead" if min(e.mean for e in both) > 0 else "behind" if max(e.mean for e in both) < 0 else "open"
        above = any(each.low is not None and each.low > 0 for each in both)
        below = any(each.high is not None and each.high < 0 for each in both)
        return "open" if above == below else "wins" if above else "loses"

    def __str__(self) -> str:
        told = {
            "wins": "joint training wins",
            "loses": "joint training LOSES",
            "ahead": "joint training is ahead, at one seed: that is no proof",
            "behind": "joint training LOSES at the one seed there is, which is no proof",
            "open": "no difference that these runs could tell",
        }[self.result]
        return f"{self.arm} against {NAMES[self.against]}: {told}{self._losers()}."

    def _losers(self) -> str:
        """The tasks that are worse off whatever the mean says; where none is for sure, the worst."""
        sure = [task for task, gain in self.tasks.items() if gain.high is not None and gain.high < 0]
        if sure:
            return "; it loses on " + ", ".join(f"{task} ({percent(self.tasks[task])})" for task in sure)
        worst = min(self.tasks, key=lambda task: self.tasks[task].mean)
        return f"; worst for {worst} ({percent(self.tasks[worst])})" if self.tasks[worst].mean < 0 else ""


def percent(found: Estimate) -> str:
    """`-1.2 % [-2.0, -0.4]`, or `-1.2 %` of one seed."""
    mean = f"{found.mean * 100:+.2f} %"
    if found.low is None or found.high is None:
        return mean
    return f"{mean} [{found.low * 100:+.2f}, {found.high * 100:+.2f}]"


def rows_of(trials: Sequence[Trial], entries: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """The tidy rows of all trials that are finished."""
    found = []
    for trial in trials:
        entry = entries.get(trial.run, {"status": "missing"})
        if entry["status"] != "finished":
            continue
        before = entries.get(trial.after or "", {"steps": 0, "seconds": 0.0})
        steps, seconds = (before[each] + entry[each] for each in ("steps", "seconds"))
        for key, value in entry["metrics"].items():
            task, _, metric = key.partition("/")
            if task in trial.tasks and metric:
                way = (trial.arm.balancer, trial.arm.sharing, trial.seed)
                found.append(Row(*way, task, metric, value, steps, round(seconds, 3)))
    return found


def figures_of(trials: Sequence[Trial], entries: Mapping[str, Mapping[str, Any]]) -> dict[Arm, dict[int, Figures]]:
    """By arm and seed; a seed at which a run of the arm is not finished is left out."""
    found: dict[Arm, dict[int, Figures]] = {}
    incomplete = set()
    for trial in (each for each in trials if not each.fits):
        entry = entries.get(trial.run, {})
        if entry.get("status") != "finished":
            incomplete.add((trial.arm, trial.seed))
            continue
        mine = {key: each for key, each in entry["metrics"].items() if key.partition("/")[0] in trial.tasks}
        found.setdefault(trial.arm, {}).setdefault(trial.seed, {}).update(mine)
    for arm, seed in incomplete:
        found.get(arm, {}).pop(seed, None)
    return {arm: seeds for arm, seeds in found.items() if seeds}


def verdicts(figures: Mapping[Arm, Mapping[int, Figures]], better: Mapping[str, str]) -> list[Verdict]:
    """Each joint arm against each other way that has figures at the same seeds."""
    found = []
    for arm in (each for each in figures if each.kind == "joint"):
        for reference in (each for each in figures if each.kind != "joint"):
            seeds = sorted(figures[arm].keys() & figures[reference].keys())
            each_seed = [gains(figures[arm][seed], figures[reference][seed], better) for seed in seeds]
            each_seed = [gain for gain in each_seed if gain]
            if each_seed:
                found.append(_verdict(arm, reference.word, each_seed))
    return found


def _verdict(arm: Arm, against: str, each_seed: Sequence[Mapping[str, float]]) -> Verdict:
    tasks = [by_task(gain) for gain in each_seed]
    known = [task for task in tasks[0] if all(task in each for each in tasks)]
    return Verdict(
        arm,
        against,
        estimate([delta_m(gain) for gain in each_seed]),
        estimate([delta_p(gain) for gain in each_seed]),
        {task: estimate([each[task] for each in tasks]) for task in known},
    )


def as_csv(rows: Sequence[Row]) -> str:
    """The rows under their head, a line each, numbers in full."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([each.name for each in fields(Row)])
    writer.writerows(map(astuple, rows))
    return written.getvalue()
