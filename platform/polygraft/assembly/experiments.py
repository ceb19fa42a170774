"""From a resolved suite and its encoded tables to an Experiment: the ONLY place where a suite becomes a run's objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch

from polygraft.assembly.learners import learner
from polygraft.assembly.mixing import total_steps
from polygraft.assembly.movers import device_of, gradients, main_mover, players_of
from polygraft.assembly.streams import episodes_of, stream_of
from polygraft.balancing.collectives import Shards
from polygraft.core.batch import Batch
from polygraft.core.errors import fault
from polygraft.data.batches import sequential
from polygraft.data.preparation import Prepared
from polygraft.data.ragged import Ragged, dense_labels
from polygraft.suite.schema import Suite
from polygraft.training.clock import Clock
from polygraft.training.evaluate import CHUNK, Evaluation, Split
from polygraft.training.experiment import Cadence, Experiment
from polygraft.training.learner import Learner
from polygraft.training.ranks import share
from polygraft.training.schedules import Schedule
from polygraft.training.state import Goal
from polygraft.training.steps import registry as steps
from polygraft.training.steps.joint import Learning
from polygraft.transfer.plan import TrainEverything

IMPROVEMENT = "improvement"
"""The goal of a suite that names none: the mean improvement over the constant predictor."""


def experiment(
    suite: Suite,
    prepared: Mapping[str, Prepared],
    *,
    stopping: Callable[[], bool] = lambda: False,
    shards: range | None = None,
) -> Experiment:
    """One run's objects, on this rank. shards: those that it works on by itself, if it does; none, where it draws no rows.

    Raises UserError for what only the data can tell (a batch larger than the rows, ...).
    """
    if suite.transfer is not None:
        raise fault("transfer: plans are not part of this version. Leave `transfer` out.", suite.where("transfer"))
    targets = {task: target for table in prepared.values() for task, target in table.target_info.items()}
    learns = learner(suite, {name: table.shape for name, table in prepared.items()}, targets)
    return experiment_of(suite, prepared, learns, stopping=stopping, shards=shards)


def experiment_of(
    suite: Suite,
    prepared: Mapping[str, Prepared],
    learns: Learner,
    *,
    stopping: Callable[[], bool] = lambda: False,
    shards: range | None = None,
) -> Experiment:
    """The suite's run with another learner than the suite's own."""
    device = device_of(suite)
    learns = learns.to(device)
    mine = share(suite.train.shards) if shards is None else shards
    stream = stream_of(suite, prepared, learns, mine)
    balancing = gradients(suite, learns, None if shards is None else Shards(max(1, len(shards))))
    cadence = _cadence(suite, total_steps(suite, prepared))
    clock = Clock()
    plan = TrainEverything()
    plan.prepare(learns.network)
    return Experiment(
        learner=learns,
        optimizer=main_mover(suite, learns),
        gradients=balancing,
        stream=stream,
        players=players_of(suite, learns),
        step=steps.make(
            suite.train.step.name,
            suite.train.step.settings,
            beside=suite.folder,
            learning=_learning(suite, cadence.steps, mine, device),
            clock=clock,
        ),
        plan=plan,
        evaluation=_evaluation(suite, prepared, learns, device),
        goal=_goal(suite, learns),
        cadence=cadence,
        device=device,
        clock=clock,
        facts={"shards": suite.train.shards, "threads": suite.workers.threads},
        stopping=stopping,
    )


def _cadence(suite: Suite, steps: int) -> Cadence:
    """When what is due."""
    said = suite.train
    return Cadence(
        steps=steps,
        log=said.log_every,
        evaluate=said.evaluate_every,
        save=said.save_every,
        save_seconds=said.save_seconds,
        patience=said.patience,
        reuse=suite.balancer.every,
    )


def _learning(suite: Suite, steps: int, mine: range, device: torch.device) -> Learning:
    said = suite.train
    return Learning(
        seed=suite.seed,
        steps=steps,
        schedule=Schedule(said.schedule.name, said.schedule.warmup, said.schedule.floor),
        shards=mine,
        offsets=tuple(shard * said.batch_size // said.shards for shard in mine),
        task_weights={name: task.weight for name, task in suite.tasks.items()},
        clip=said.clip,
        bf16=said.precision == "bf16",
        device=device,
    )


def _goal(suite: Suite, learns: Learner) -> Goal:
    """The validation figure that selects weights."""
    if suite.train.best is None:
        return Goal(IMPROVEMENT, 1)
    task, _, metric = suite.train.best.partition("/")
    better = learns.objective(task).better
    if metric not in better:
        raise fault(
            f"train.best: task '{task}' has no metric '{metric}'. It has {', '.join(better)}.",
            suite.where("train.best"),
        )
    return Goal(suite.train.best, 1 if better[metric] == "max" else -1)


def _evaluation(suite: Suite, prepared: Mapping[str, Prepared], learns: Learner, device: torch.device) -> Evaluation:
    """The validation and test rows of every table, or episodes of every environment."""

    def split(table: Prepared, part: str) -> Split:
        return _split(table, part) if table.environment is None else episodes_of(table, part, learns, device)

    return Evaluation(
        splits={part: tuple(split(table, part) for table in prepared.values()) for part in ("validation", "test")},
        tasks={name: task.tables[0] for name, task in suite.tasks.items()},
        device=device,
    )


def _split(table: Prepared, split: str) -> Split:
    def batches(chunks: range) -> Iterator[Batch]:
        return sequential(table, split, CHUNK, chunks=chunks)

    def labels() -> Batch:
        rows = table.splits[split]
        return Batch(
            inputs={},
            targets={
                task: torch.from_numpy(dense_labels(values.of(rows) if isinstance(values, Ragged) else values[rows]))
                for task, values in table.targets.items()
            },
            present={task: torch.from_numpy(present[rows]) for task, present in table.present.items()},
            weights=torch.from_numpy(table.weights[rows]),
            rows=torch.from_numpy(rows),
        )

    return Split(table.name, len(table.splits[split]), batches, labels, chunk=CHUNK)
