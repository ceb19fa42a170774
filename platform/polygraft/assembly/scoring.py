"""Scoring a model on rows that carry their labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from polygraft.assembly.model import Model, load_model
from polygraft.assembly.tables import environment_spec, tasks_of
from polygraft.core.batch import Batch
from polygraft.data.environments import EPISODES_AT_ONCE
from polygraft.data.ragged import dense_labels
from polygraft.data.tables import read_file
from polygraft.data.targets import encode_labels
from polygraft.objectives.policies import Acting
from polygraft.training.evaluate import score
from polygraft.training.policy import greedy_returns


def evaluate(model: str | Path | Model, data: str | Path, table: str | None = None) -> dict[str, float]:
    """`{"<task>/<metric>": value}` of a model on a file of raw rows with their targets; missing labels are left out.

    Where the model's table is an environment, `data` names one, as the suite does: the episodes of the test are played there.

    Raises UserError for a missing column and for values that do not fit.
    """
    known = model if isinstance(model, Model) else load_model(model)
    name = known.table(table)
    if known.suite.data[name].played:
        return _played(known, name, str(data))
    rows = read_file(Path(data))
    scores: dict[str, float] = {}
    for task, outputs in known.outputs(rows, name).items():
        found = score(known.objective(task), outputs, labels_of(known, rows, task, name, str(data)), task)
        scores |= {f"{task}/{metric}": value for metric, value in found.items()}
    return scores


def _played(model: Model, table: str, source: str) -> dict[str, float]:
    """The scores of greedy episodes. An environment of another name than the suite's takes no arguments."""
    said = environment_spec(model.suite, table)
    spec = said if source == said.source else replace(said, source=source, arguments={}, folder=Path(), place=source)
    (task,) = tasks_of(model.suite, table)
    objective = model.objective(task)
    assert isinstance(objective, Acting)
    blocks = range(-(-objective.episodes // EPISODES_AT_ONCE))
    returns = greedy_returns(model.learner, spec, task, part="test", blocks=blocks, device=torch.device("cpu"))
    return {f"{task}/{metric}": value for metric, value in objective.scores(returns, *[returns] * 3).items()}


def labels_of(model: Model, rows: Any, task: str, table: str, where: str) -> Batch:
    """A task's labels, where it has a target, and the weights, of raw rows. Raises UserError."""
    weight = model.suite.data[table].weight
    weights = np.asarray(rows[weight]) if weight and weight in rows.column_names else np.ones(len(rows))
    labels = Batch(inputs={}, weights=torch.from_numpy(np.array(weights, np.float32)))
    if task not in model.targets:
        return labels
    targets, present = encode_labels(model.targets[task], model.preprocessors[table].extended(rows, where), where)
    return replace(
        labels, targets={task: torch.from_numpy(dense_labels(targets))}, present={task: torch.from_numpy(present)}
    )
