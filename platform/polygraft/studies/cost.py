"""What a study will cost, measured before it begins: a few steps and one evaluation of each way to train, or what the ledger knows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch

from polygraft.assembly.experiments import experiment
from polygraft.core.errors import Fault, RunFailed, UserError
from polygraft.data.preparation import Prepared
from polygraft.studies.arms import Arm, Trial
from polygraft.suite.schema import Suite
from polygraft.training.evaluate import evaluate
from polygraft.training.experiment import Experiment

WARM_UP, TIMED = 3, 8
"""Steps of a probe."""
AROUND_S = 2.0
"""Seconds of a run that are no steps and no evaluation: opening it, its model to MLflow, its report."""

Tables = Mapping[str, Prepared]
Entries = Mapping[str, Mapping[str, Any]]
"""The ledger's, by run."""


@dataclass(frozen=True)
class Probe:
    """Seconds of a step and of an evaluation of the validation rows; steps of a whole run, and evaluations in it."""

    step_s: float
    evaluation_s: float
    steps: int
    evaluations: int

    @property
    def run_s(self) -> float:
        """Of a whole run, the last look at validation and test included."""
        return AROUND_S + self.steps * self.step_s + (self.evaluations + 3) * self.evaluation_s


def probe(suite: Suite, tables: Tables) -> Probe:
    """Take a few steps, in memory, and throw them away. Raises UserError for what does not fit together."""
    torch.set_num_threads(suite.workers.threads)
    running = experiment(suite, tables)
    every, steps = running.cadence.evaluate, running.cadence.steps
    step_s, evaluation_s = _timed(running)
    return Probe(step_s, evaluation_s, steps, steps // every if every else 1)


def _timed(running: Experiment) -> tuple[float, float]:
    state = running.state(None)
    try:
        for _ in range(WARM_UP):
            running.step.update(state, running.stream)
        began = time.perf_counter()
        for _ in range(TIMED):
            running.step.update(state, running.stream)
    except RunFailed:  # it will fail as soon in its run, and be told then
        return 0.0, 0.0
    stepped = time.perf_counter()
    evaluate(state, running.evaluation)
    return (stepped - began) / TIMED, time.perf_counter() - stepped


def probes(trials: Sequence[Trial], tables: Tables) -> dict[Arm, Probe]:
    """A probe of each joint way. Raises UserError for all that do not fit together, at once: each names its arm."""
    found: dict[Arm, Probe] = {}
    faults: list[Fault] = []
    first = {trial.arm: trial for trial in reversed(trials) if trial.arm.kind == "joint"}
    for arm, trial in reversed(first.items()):
        try:
            if not found:
                probe(trial.suite, tables)  # what is imported and compiled on the way is paid once
            found[arm] = probe(trial.suite, tables)
        except UserError as error:
            faults += [Fault(str(arm), str(each)) for each in error.faults]
    if faults:
        raise UserError(faults)
    return found


@dataclass(frozen=True)
class Forecast:
    """What runs will take, from the probes of the joint ways and, ever more, from what finished runs took."""

    probed: Mapping[Arm, Probe]

    def seconds(self, trials: Sequence[Trial], entries: Entries) -> float:
        """Of the runs that are not finished."""
        took: dict[tuple[Arm, bool], list[float]] = {}
        for trial in trials:
            if _finished(trial, entries):
                took.setdefault((trial.arm, trial.fits), []).append(entries[trial.run]["took"])
        slower = self._slower(took)

        def expected(arm: Arm, fits: bool) -> float:
            known = took.get((arm, fits))
            return fmean(known) if known else self._probed(arm) * slower

        left = {trial.run: (trial.arm, trial.fits) for trial in trials if not _finished(trial, entries)}
        return sum(expected(*way) for way in left.values())

    def _slower(self, took: Mapping[tuple[Arm, bool], Sequence[float]]) -> float:
        """How much longer finished runs of probed ways took than was expected: the machine may be busier than a probe saw."""
        known = [(fmean(took[arm, False]), probe.run_s) for arm, probe in self.probed.items() if (arm, False) in took]
        return sum(each for each, _ in known) / sum(each for _, each in known) if known else 1.0

    def _probed(self, arm: Arm) -> float:
        """Of a joint way its own probe; of static weights the quickest of those that share alike; of the others the quickest."""
        if arm in self.probed:
            return self.probed[arm].run_s
        alike = [each.run_s for joint, each in self.probed.items() if joint.sharing == arm.sharing]
        return min(alike or [each.run_s for each in self.probed.values()])


def _finished(trial: Trial, entries: Entries) -> bool:
    return entries.get(trial.run, {}).get("status") == "finished"
