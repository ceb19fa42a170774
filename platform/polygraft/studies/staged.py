"""The pipeline that joint training replaces: principal components of the inputs, frozen, then a head for each task by itself.

Principal components are what the best linear autoencoder finds (Baldi and Hornik 1989, https://doi.org/10.1016/0893-6080(89)90014-2),
without a second training to tune. They are as many as the suite's trunk gives features, fitted on the encoded training rows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from polygraft.assembly.experiments import experiment_of
from polygraft.assembly.job import cache_of, lay_out
from polygraft.assembly.learners import head_of, learner, objective_of
from polygraft.assembly.run import RESULT, Run
from polygraft.assembly.tables import prepare_tables
from polygraft.core.atomic import write_json
from polygraft.core.errors import fault
from polygraft.core.features import Features, Offer
from polygraft.core.seeding import counter
from polygraft.data.preparation import Prepared
from polygraft.distributed.identity import claim, storage_of
from polygraft.distributed.launch import claimed, result_of
from polygraft.distributed.publish import facts_of
from polygraft.models.base import Sharing, Stem, Trunk
from polygraft.models.network import Network
from polygraft.models.sharing.hard import Hard
from polygraft.storage.directory import Directory
from polygraft.storage.lock import RunLock
from polygraft.storage.runs import RunRecord, read_run, update_run, write_run
from polygraft.studies.pca import Components, principal_components
from polygraft.suite.schema import Suite
from polygraft.tracking.journal import Journal, read
from polygraft.tracking.mlflow_tracker import open_run, tracking_uri
from polygraft.training.evaluate import evaluate
from polygraft.training.learner import Learner
from polygraft.training.loop import train as learn

Tables = Mapping[str, Prepared]


class Frozen(Stem):
    """A table's principal components; nothing here learns."""

    directions: Tensor
    shift: Tensor
    starts: Tensor
    variances: Tensor

    def __init__(self, found: Components) -> None:
        super().__init__()
        for name in ("directions", "shift", "starts", "variances"):
            self.register_buffer(name, getattr(found, name).contiguous())
        self.offer = Offer("vector", self.directions.shape[1])

    def forward(self, inputs: Mapping[str, Tensor]) -> Features:
        """Components [rows, width]."""
        rows = len(next(iter(inputs.values())))
        numbers = inputs.get("numbers", self.directions.new_zeros(rows, 0))
        categories = inputs.get("categories", self.starts.new_zeros(rows, 0))
        found = Components(self.directions, self.shift, self.starts, self.variances)
        return Features(vector=found(numbers, categories))


class Straight(Trunk):
    """No stage: features go through as they are."""

    def __init__(self, offer: Offer) -> None:
        super().__init__()
        self.stages, self.offers = nn.ModuleList(), (offer,)

    def last_layer(self) -> None:
        """None."""


def train(suite: Suite, run: str, tags: Mapping[str, str], tracking: str | None) -> Run:
    """Train the heads of a suite's tasks on frozen features, go on with that, or give back its result. No model is left behind."""
    record = claim(suite, run=run)
    with claimed(record.folder) as lock:
        found = result_of(record.folder)
        return found or _train(suite, record, lock, tags, tracking)


def _train(suite: Suite, record: RunRecord, lock: RunLock, tags: Mapping[str, str], tracking: str | None) -> Run:
    folder, began = record.folder, time.time()
    torch.set_num_threads(suite.workers.threads)
    tables = prepare_tables(suite, cache_of(folder))
    running = experiment_of(suite, tables, frozen_learner(suite, tables))
    if read_run(folder) is None:
        lay_out(suite, folder)
        write_run(record)
    update_run(folder, status="running", attempt=lock.attempt)
    journal = Journal(folder / "metrics.jsonl", guard=lock.guard, attempt=lock.attempt)
    store = Directory(folder / "checkpoints", keep=suite.train.keep, guard=lock.guard)
    state = learn(running, journal, store)
    best = store.best()
    if best is not None:
        state.learner.load_state_dict(best.tensors["weights"])
    validation, test = (evaluate(state, running.evaluation, split) for split in ("validation", "test"))
    journal.log(test, state.step)
    journal.close()
    result = Run(
        record.run_id,
        folder,
        "finished",
        state.step,
        metrics=_plain(test),
        validation=_plain(validation),
        mlflow_run_id=publish(suite, record, tables, tags, tracking),
        seconds=round(time.time() - began, 3),
        samples_per_second=round(running.clock.rate, 1),
    )
    write_json(folder / RESULT, result.to_json())
    update_run(folder, status="finished", step=state.step, mlflow_run_id=result.mlflow_run_id)
    return result


def frozen_learner(suite: Suite, tables: Tables) -> Learner:
    """Each table's components under the suite's heads, whose first weights are a pure function of the suite's seed."""
    targets = {task: target for table in tables.values() for task, target in table.target_info.items()}
    objectives = {task: objective_of(suite, task, targets[task]) for task in suite.tasks}
    sharing = learner(suite, {name: table.shape for name, table in tables.items()}, targets).network.sharing
    assert isinstance(sharing, Sharing)
    fitted = {name: _components(table, sharing.offer.width, suite.seed) for name, table in tables.items()}
    narrowest = min(len(each.variances) for each in fitted.values())  # heads read the features of any table
    stems = {name: Frozen(each.first(narrowest)) for name, each in fitted.items()}
    offer = Offer("vector", narrowest)
    torch.manual_seed(counter(suite.seed, "weights"))
    heads = {task: head_of(suite, task, objectives[task], offer) for task in suite.tasks}
    network = Network(stems, Hard(lambda: Straight(offer)), heads, {n: t.tables[0] for n, t in suite.tasks.items()})
    return Learner(network, objectives)


_KEPT: dict[tuple[str, int], Components] = {}


def _components(table: Prepared, width: int, seed: int) -> Components:
    """Fitted once a process for the tasks of a table."""
    key = (table.fingerprint, width)
    if key not in _KEPT:
        if others := table.shape.others:
            raise fault(f"principal components take numbers and categories; '{table.name}' has {others[0].name} too.")
        _KEPT.clear()
        _KEPT[key] = principal_components(
            table.matrices, table.shape.categories, table.splits["train"], width=width, seed=counter(seed, "components")
        )
    return _KEPT[key]


def publish(suite: Suite, record: RunRecord, tables: Tables, tags: Mapping[str, str], tracking: str | None) -> str:
    """The run's history to MLflow; its id there."""
    uri, _ = tracking_uri(tracking, os.environ, suite.tracking.uri, storage_of(suite))
    tracker = open_run(uri, facts_of(suite, record, tables, tags=tags))
    for name in ("metrics.jsonl", "system.jsonl"):
        tracker(read(record.folder / name))
    tracker.end("FINISHED")
    return tracker.run_id


def _plain(scores: Mapping[str, float]) -> dict[str, float]:
    return {key.split("/", 1)[1]: value for key, value in scores.items()}
