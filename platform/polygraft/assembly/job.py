"""The work of one run, the same on every rank: build, learn, score the selected weights, leave a model behind."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch

from polygraft.assembly.apart import learn_apart
from polygraft.assembly.experiments import experiment
from polygraft.assembly.looks import looks
from polygraft.assembly.model import Model
from polygraft.assembly.run import EXHIBITS, MODEL, ORIGIN, RESULT, STOP, SUITE, Run, Status
from polygraft.assembly.tables import prepare_tables
from polygraft.core.atomic import write_json, write_text
from polygraft.core.errors import fault
from polygraft.core.exhibits import Exhibit
from polygraft.data.preparation import Prepared
from polygraft.storage.directory import Directory
from polygraft.storage.lock import attempt_guard
from polygraft.storage.runs import read_run
from polygraft.suite.apart import keepers
from polygraft.suite.identity import as_yaml
from polygraft.suite.load import load
from polygraft.suite.schema import Suite
from polygraft.tracking.base import Tracker
from polygraft.tracking.journal import Journal
from polygraft.tracking.silent import Silent
from polygraft.training.evaluate import evaluate
from polygraft.training.experiment import Experiment
from polygraft.training.loop import train
from polygraft.training.ranks import alone, rank, wait, world
from polygraft.training.state import State
from polygraft.training.wire import KEEPER


def lay_out(suite: Suite, folder: Path, warm_start: Path | None = None) -> None:
    """Write what `work` reads: the resolved suite, where it came from, and the run (if any) whose weights it starts with."""
    write_text(folder / SUITE, as_yaml(suite))
    origin = {"folder": str(suite.folder.resolve()), "from": str(warm_start.resolve()) if warm_start else None}
    write_json(folder / ORIGIN, origin)


def laid_out(folder: Path) -> Suite:
    """The suite of a run's folder; its relative paths stay those of the file it came from."""
    return load(folder / SUITE, folder=Path(_origin(folder)["folder"] or "."))


def cache_of(folder: Path) -> Path:
    """The cache that the runs of one storage share, from a run's folder."""
    return folder.parent.parent / "cache"


def work(folder: Path, *, attempt: int) -> Run:
    """Do, or go on with, the run in `folder` on this rank. Every rank returns the same result; rank 0 writes it.

    Raises UserError for what the data refuses, RunFailed when the run cannot go on or another attempt took it over.
    """
    suite = laid_out(folder)
    torch.set_num_threads(suite.workers.threads)
    if not keepers(suite):
        return _work(folder, suite, attempt)
    me, count = rank(), world()
    with alone():
        if me == KEEPER:
            return _work(folder, suite, attempt, shards=range(0))
        learn_apart(suite, prepare_tables(suite, cache_of(folder)), me, count)
        return Run(folder.name, folder, "finished", 0)


def _work(folder: Path, suite: Suite, attempt: int, *, shards: range | None = None) -> Run:
    guard = attempt_guard(folder, attempt)
    prepared = prepare_tables(suite, cache_of(folder))
    running = experiment(suite, prepared, stopping=(folder / STOP).exists, shards=shards)
    _warm_start(running, _origin(folder)["from"])
    tracker = Journal(folder / "metrics.jsonl", guard=guard, attempt=attempt) if rank() == 0 else Silent()
    store = Directory(folder / "checkpoints", keep=suite.train.keep, rank=rank(), guard=guard)
    state = train(running, tracker, store)
    running.step.end(state)
    wait()  # until rank 0 has written the last checkpoint
    if not running.finished(state):
        return _result(folder, running, state, "killed")
    best = store.best()
    if best is not None:
        state.learner.load_state_dict(best.tensors["weights"])
    running.plan.fold(running.learner.network)
    return _leave(folder, suite, prepared, running, state, tracker)


def _leave(
    folder: Path, suite: Suite, prepared: dict[str, Prepared], running: Experiment, state: State, tracker: Tracker
) -> Run:
    """Score the selected weights, the test split for the first and only time, and write model and result."""
    shown: list[Exhibit] = []
    validation = evaluate(state, running.evaluation)
    test = evaluate(state, running.evaluation, "test", show=shown.extend)
    tracker.log(test, state.step)
    tracker.flush()
    counts = {
        name: {"rows": each.rows} | {part: len(rows) for part, rows in each.splits.items()}
        for name, each in prepared.items()
    }
    scores = {"metrics": _plain(test), "validation": _plain(validation)}
    result = _result(folder, running, state, "finished", **scores, data=counts)
    if rank() == 0:
        shown += looks(prepared, running.learner, running.device)
        Model.of(suite, prepared, running.learner).save(folder / MODEL)
        write_json(folder / EXHIBITS, [each.to_json() for each in shown])
        write_json(folder / RESULT, result.to_json())
    wait()
    return result


def _result(folder: Path, running: Experiment, state: State, status: Status, **scores: Any) -> Run:
    record = read_run(folder)
    begun = record.created if record else time.time()
    return Run(
        run_id=record.run_id if record else folder.name,
        folder=folder,
        status=status,
        step=state.step,
        mlflow_run_id=record.mlflow_run_id if record else None,
        seconds=round(time.time() - begun, 3),
        samples_per_second=round(running.clock.rate, 1),
        data_wait_share=round(running.clock.waited_share, 5),
        **scores,
    )


def _warm_start(running: Experiment, source: str | None) -> None:
    """Begin with the selected weights of another run; a checkpoint of this run, where there is one, comes after and wins."""
    if source is None:
        return
    store = Directory(Path(source) / "checkpoints", rank=1)  # a reader: nothing of that run is touched
    snapshot = store.best() or store.latest()
    if snapshot is None:
        raise fault("this run has no checkpoint to start from.", source)
    try:
        running.learner.load_state_dict(snapshot.tensors["weights"])
    except RuntimeError as error:
        raise fault(f"its weights do not fit this suite: {str(error).splitlines()[-1].strip()}", source) from None


def _plain(scores: dict[str, float]) -> dict[str, float]:
    """Without the split's name in front."""
    return {key.split("/", 1)[1]: value for key, value in scores.items()}


def _origin(folder: Path) -> dict[str, str | None]:
    return json.loads((folder / ORIGIN).read_text())  # type: ignore[no-any-return]
