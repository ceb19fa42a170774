"""Scoring a model on rows that carry their labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from polygraft.assembly.model import Model, load_model
from polygraft.core.batch import Batch
from polygraft.data.ragged import dense_labels
from polygraft.data.tables import read_file
from polygraft.data.targets import encode_labels
from polygraft.training.evaluate import score


def evaluate(model: str | Path | Model, data: str | Path, table: str | None = None) -> dict[str, float]:
    """`{"<task>/<metric>": value}` of a model on a file of raw rows with their targets; missing labels are left out.

    Raises UserError for a missing column and for values that do not fit.
    """
    known = model if isinstance(model, Model) else load_model(model)
    rows = read_file(Path(data))
    name = known.table(table)
    scores: dict[str, float] = {}
    for task, outputs in known.outputs(rows, name).items():
        found = score(known.objective(task), outputs, labels_of(known, rows, task, name, str(data)), task)
        scores |= {f"{task}/{metric}": value for metric, value in found.items()}
    return scores


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
