"""Evaluation: every rank predicts a contiguous part of a split, rank 0 scores the rows in table order, all hear the scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from polygraft.core.batch import Batch
from polygraft.core.exhibits import Exhibit
from polygraft.objectives.base import Objective
from polygraft.training.learner import Learner
from polygraft.training.predictor import Predictor
from polygraft.training.ranks import agree, gather_rows, rank, share, world
from polygraft.training.state import State

CHUNK = 4096
"""Rows predicted at once. Fixed: a matrix product's bits depend on its shape, so the grid may not depend on the workers."""


@dataclass(frozen=True)
class Split:
    """A split of one table. rows: how many; batches: those of the given chunks, in table order; labels: of ALL rows, without inputs."""

    table: str
    rows: int
    batches: Callable[[range], Iterator[Batch]]
    labels: Callable[[], Batch]

    @property
    def chunks(self) -> int:
        """How many chunks the rows make."""
        return -(-self.rows // CHUNK)


@dataclass(frozen=True)
class Evaluation:
    """What is scored: the splits of every table, by name, and the tasks of each table; and where outputs are computed."""

    splits: Mapping[str, tuple[Split, ...]]
    tasks: Mapping[str, str]  # task -> table
    device: torch.device


def evaluate(
    state: State,
    evaluation: Evaluation,
    split: str = "validation",
    *,
    show: Callable[[list[Exhibit]], None] | None = None,
) -> dict[str, float]:
    """`{"<split>/<task>/<metric>": value}`, equal on every rank; and `<split>/improvement`, the mean over the constant predictor.

    AUC and its kin are no means over ranks: outputs are gathered and scored whole. show: what is done with each task's exhibits,
    on rank 0.
    """
    scores: dict[str, dict[str, float]] = {}
    for part in evaluation.splits[split]:
        tasks = [task for task, table in evaluation.tasks.items() if table == part.table]
        outputs = _outputs(state.learner, part, tasks, evaluation.device)
        if rank() == 0:
            labels = part.labels()
            for task in tasks:
                objective = state.learner.objective(task)
                scores[task] = score(objective, outputs[task], labels, task)
                if show is not None:
                    show(objective.exhibits(outputs[task], *labels.asked(task), labels.weights))
    agreed: dict[str, float] = agree(_flat(scores, split), evaluation.device)
    return agreed


def score(objective: Objective, outputs: Tensor, labels: Batch, task: str) -> dict[str, float]:
    """One task's metrics over all its rows, `improvement` over the constant predictor among them."""
    targets, present = labels.asked(task)
    scores = objective.scores(outputs, targets, present, labels.weights)
    return {**scores, "improvement": objective.improvement(scores)}


def _outputs(learner: Learner, part: Split, tasks: list[str], device: torch.device) -> dict[str, Tensor]:
    """On rank 0, each task's outputs for all rows of the split; on the others, nothing of use."""
    predictor = Predictor(learner, device)
    lengths = [_rows_of(part, r) for r in range(world())]
    mine = predictor.outputs(part.table, part.batches(share(part.chunks)), tasks)
    gathered = {task: gather_rows(mine[task], lengths) for task in tasks}
    return {task: rows.cpu() for task, rows in gathered.items() if rows is not None}


def _rows_of(part: Split, rank: int) -> int:
    first, last = rank * part.chunks // world(), (rank + 1) * part.chunks // world()
    return min(last * CHUNK, part.rows) - min(first * CHUNK, part.rows)


def _flat(scores: Mapping[str, Mapping[str, float]], split: str) -> dict[str, float]:
    flat = {f"{split}/{task}/{metric}": value for task, found in scores.items() for metric, value in found.items()}
    gains = [found["improvement"] for found in scores.values()]
    return flat | ({f"{split}/improvement": sum(gains) / len(gains)} if gains else {})
