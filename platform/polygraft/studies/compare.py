"""Compare: joint training against single-task runs, tuned static weights and a staged pipeline, on equal budgets and seeds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polygraft.assembly.run import Run
from polygraft.core.atomic import write_text
from polygraft.core.errors import RunFailed
from polygraft.core.logs import log
from polygraft.distributed import launch
from polygraft.distributed.identity import storage_of
from polygraft.studies.arms import Trial
from polygraft.studies.comparison import Comparison
from polygraft.studies.outcome import as_csv, figures_of, rows_of, verdicts
from polygraft.studies.plan import Question, compared, complete, seeds_of, trials, weighted
from polygraft.suite.identity import digest
from polygraft.suite.schema import Suite
from polygraft.tracking.journal import read
from polygraft.tracking.ledger import Ledger

if TYPE_CHECKING:
    from polygraft.data.preparation import Prepared
    from polygraft.studies.cost import Forecast

STUDY_TAG = "polygraft.study"
Entries = Mapping[str, Mapping[str, Any]]


def compare(
    suite: Suite | str | os.PathLike[str],
    *,
    balancers: Sequence[str] = (),
    sharing: Sequence[str] = (),
    against: Sequence[str] = (),
    seeds: int = 3,
    dry_run: bool = False,
    csv: str | os.PathLike[str] | None = None,
    tracking: str | None = None,
    progress: bool = True,
) -> Comparison:
    """Train a suite jointly and in the ways that joint training competes with, and say what joint training gains.

    balancers, sharing: names, crossed; absent, the suite's own. against: `staged` adds the pipeline of frozen features
    and each task by itself on them, `staged:pca` or `staged:autoencoder` with these features alone. seeds: the suite's and those after it. dry_run: say how many runs and minutes, and stop. csv: a copy of the
    tidy table. tracking: MLflow's URI.
    What is finished is never run again: the same call goes on where a killed one stopped, and one with more seeds or balancers
    adds to it. A run that fails is told, and the others go on. Raises UserError for all that is wrong, before anything is run.
    """
    suite = suite if isinstance(suite, Suite) else launch.loaded(suite)
    return Study(suite, complete(suite, Question(tuple(balancers), tuple(sharing), tuple(against), seeds))).carry_out(
        dry_run=dry_run, csv=csv, train=lambda trial, tags: _train(trial, tags, tracking, progress)
    )


Train = Callable[[Trial, Mapping[str, str]], Run]
"""Runs a trial to its end, or goes on with it; with these tags in MLflow."""


class Study:
    """One suite's comparison: its folder, and the ledger of its runs. An edited suite is another study."""

    def __init__(self, suite: Suite, question: Question) -> None:
        self.suite, self.question = suite, question
        self.name = digest(suite)[:12]
        self.storage = storage_of(suite)
        self.folder = self.storage / suite.suite / "compare" / self.name
        self.ledger = Ledger(self.folder / "ledger.jsonl")
        self.known = trials(suite, question)
        self.forecast: Forecast | None = None

    def carry_out(self, *, dry_run: bool, csv: str | os.PathLike[str] | None, train: Train) -> Comparison:
        """Say what it takes; unless that was all, do what is left and say what it came to."""
        announced = self._announce()
        if dry_run:
            return announced
        self._do(self.known, train, of=announced.runs)
        weights = self._chosen()
        tuned = self._tuned(weights)
        self._do(tuned, train, of=announced.runs)
        return self._told(announced, [*(each for each in self.known if each.weights is None), *tuned], weights, csv)

    def _announce(self) -> Comparison:
        """How many runs, how many of them are left, and how long they will take."""
        entries = self.ledger.entries()
        planned, open_yet = self._planned(entries)
        runs = len({each.run for each in planned}) + open_yet
        left = len({each.run for each in planned if not _finished(entries, each)}) + open_yet
        preparing_s = self._prepare() if left else 0.0
        minutes = self._minutes(entries) + preparing_s / 60 if left else 0.0
        log().info("%s", plan_in_words(runs, left, minutes, self.question))
        return Comparison(self.name, self.folder, runs, left, minutes)

    def _planned(self, entries: Entries) -> tuple[list[Trial], int]:
        """The runs that are known by now, and how many more there will be: those of static weights that are not chosen yet."""
        tried = all(each.run in entries for each in self.known if each.weights is not None)
        return [*self.known, *(self._tuned(self._chosen()) if tried else [])], 0 if tried else self.question.seeds - 1

    def _minutes(self, entries: Entries) -> float:
        """Of the runs that are left; those that are not known yet take as long as the others do on average."""
        assert self.forecast is not None, "the tables are prepared first"
        planned, open_yet = self._planned(entries)
        left = len({each.run for each in planned if not _finished(entries, each)})
        seconds = self.forecast.seconds(planned, entries)
        return seconds * (left + open_yet) / left / 60 if left else 0.0

    def _prepare(self) -> float:
        """Probe each joint way on the first seed's tables. The seconds that preparing the seeds after the second will take."""
        from polygraft.studies.cost import Forecast, probes  # with torch: a wrong name is told without it
        from polygraft.studies.staged import require_vectors

        tables, *others = [self._tables(seed) for seed in list(seeds_of(self.suite, self.question))[:2]]
        if self.question.features:
            require_vectors(self.suite, tables[0])
        self.forecast = Forecast(probes(self.known, tables[0]))
        return others[0][1] * (self.question.seeds - 2) if others else 0.0

    def _tables(self, seed: int) -> tuple[Mapping[str, Prepared], float]:
        """The tables as a seed splits them, and the seconds it took; they are kept, so no run prepares them again."""
        from polygraft.assembly.tables import prepare_tables

        began = time.perf_counter()
        tables = prepare_tables(self.suite.model_copy(update={"seed": seed}), self.storage / "cache")
        return tables, time.perf_counter() - began

    def _tuned(self, weights: Mapping[str, float]) -> list[Trial]:
        return [weighted(self.suite, self.question, weights, seed) for seed in seeds_of(self.suite, self.question)]

    def _do(self, wanted: Sequence[Trial], train: Train, *, of: int) -> None:
        """Run what the ledger does not hold as finished; each is noted as soon as it is."""
        for trial in wanted:
            entries = self.ledger.entries()
            if _finished(entries, trial):
                continue
            done = sum(entry["status"] == "finished" for entry in entries.values())
            minutes = f", about {self._minutes(entries):.1f} minutes left" if done else ""
            log().info("run %d of at most %d%s: %s", done + 1, max(of, done + 1), minutes, trial.run)
            began = time.perf_counter()
            try:
                run = train(trial, {STUDY_TAG: self.name})
            except RunFailed as error:
                log().error("%s failed, the others go on: %s", trial.run, error)
                self.ledger.add({"run": trial.run, "seed": trial.seed, "status": "failed", "reason": str(error)})
                continue
            self.ledger.add(_entry(trial, run, time.perf_counter() - began))

    def _chosen(self) -> Mapping[str, float]:
        """The static weights with the largest mean improvement on validation, at the first seed."""
        entries = self.ledger.entries()
        tried = [each for each in self.known if each.weights is not None]
        best = max(tried, key=lambda each: _improvement(entries, each))
        assert best.weights is not None
        return best.weights

    def _told(
        self,
        announced: Comparison,
        shown: Sequence[Trial],
        weights: Mapping[str, float],
        csv: str | os.PathLike[str] | None,
    ) -> Comparison:
        entries = self.ledger.entries()
        rows, figures = rows_of(shown, entries), figures_of(shown, entries)
        path = self.folder / "comparison.csv"
        for each in (path, *([Path(csv)] if csv else [])):
            write_text(each, as_csv(rows))
        return Comparison(
            study=self.name,
            folder=self.folder,
            runs=announced.runs,
            left=announced.left,
            minutes=announced.minutes,
            rows=tuple(rows),
            figures=figures,
            verdicts=tuple(verdicts(figures, compared(self.suite))),
            weights=weights,
            failed={each.run: entries[each.run]["reason"] for each in shown if _status(entries, each) == "failed"},
            csv=Path(csv) if csv else path,
        )


def plan_in_words(runs: int, left: int, minutes: float, question: Question) -> str:
    """`17 runs at 2 seeds, 15 of them to do: about 3.4 minutes`."""
    to_do = "all of them" if left == runs else f"{left} of them"
    seeds = f"{question.seeds} seed{'s' * (question.seeds > 1)}"
    if left == 0:
        return f"{runs} runs at {seeds}, all done before"
    return f"{runs} runs at {seeds}, {to_do} to do: about {minutes:.1f} minutes"


def _train(trial: Trial, tags: Mapping[str, str], tracking: str | None, progress: bool) -> Run:
    if trial.arm.kind == "staged":
        from polygraft.studies import staged

        if trial.after is None:
            return staged.fit(trial.suite, trial.run, trial.arm.sharing, tags, tracking)
        return staged.train(trial.suite, trial.run, trial.arm.sharing, trial.after, tags, tracking)
    return launch.train(trial.suite, run=trial.run, register=False, progress=progress, tracking=tracking, tags=tags)


def _status(entries: Entries, trial: Trial) -> str:
    return str(entries.get(trial.run, {}).get("status", "to do"))


def _finished(entries: Entries, trial: Trial) -> bool:
    return _status(entries, trial) == "finished"


def _improvement(entries: Entries, trial: Trial) -> float:
    validation = entries.get(trial.run, {}).get("validation", {})
    return float(validation.get("improvement", float("-inf")))


def _entry(trial: Trial, run: Run, took: float) -> dict[str, Any]:
    """What the ledger keeps of a finished run. seconds: of its training, over all attempts; took: from call to return, this time."""
    walls = [entry.values.get("system/seconds/wall", 0.0) for entry in read(run.folder / "system.jsonl")]
    return {
        "run": trial.run,
        "seed": trial.seed,
        "status": run.status,
        "steps": run.step,
        "seconds": round(sum(walls), 3),
        "took": round(took, 3),
        "metrics": run.metrics,
        "validation": run.validation,
        "mlflow_run_id": run.mlflow_run_id,
    }
