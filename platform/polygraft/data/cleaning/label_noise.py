"""Confident learning, Northcutt, Jiang and Chuang 2021 (https://arxiv.org/abs/1911.00068): labels that are likely wrong are not learnt."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from polygraft.core.catalogue import Range
from polygraft.core.seeding import counter
from polygraft.data.cleaning.base import RowChange, RowStep
from polygraft.data.confident_learning import suspects
from polygraft.data.out_of_fold import out_of_fold
from polygraft.data.training_rows import TrainingRows


class LabelNoise(RowStep):
    """Find labels of a task with classes that a small model, which never saw them, confidently contradicts.

    The model is boosted trees on the features, fitted fold by fold; how many labels of a class are wrong is told by the
    confident joint, which ones by the margin (`data/confident_learning.py`). Rare cases are contradicted, too: look at what
    `polygraft check --data` finds before anything is dropped.
    task: whose labels; absent, those of the table's only task with classes.
    action: `drop_label` takes the label away and keeps the row for the other tasks; `drop` drops the row, as the paper does;
        `down_weight` multiplies its weight, for every task.
    weight: the factor of `down_weight`.
    folds: models that are fitted, each on the others' rows.
    rows: how many rows a model learns from at most; a fold's rows are all judged.
    """

    def __init__(
        self,
        task: str | None = None,
        action: Literal["drop_label", "drop", "down_weight"] = "drop_label",
        weight: Annotated[float, Range(above=0, max=1)] = 0.5,
        folds: Annotated[int, Range(min=2)] = 5,
        rows: Annotated[int, Range(min=100)] = 20_000,
    ) -> None:
        self.task, self.action, self.weight, self.folds, self.rows = task, action, weight, folds, rows

    def change(self, rows: TrainingRows) -> RowChange:
        labels = rows.classes(self.task)
        task = labels.spec.task
        columns = {name: column.filter(labels.present) for name, column in rows.features().items()}
        given = labels.array[labels.present]
        seed = counter(rows.spec.seed, "label_noise", task)
        said = out_of_fold(columns, given, seed=seed, folds=self.folds, most=self.rows)
        found = np.zeros(len(rows), bool)
        found[np.flatnonzero(labels.present)[suspects(given, said)]] = True
        if self.action == "drop_label":
            return RowChange(np.ones(len(rows), np.float32), {task: found})
        return RowChange(np.where(found, self.weight if self.action == "down_weight" else 0, 1).astype(np.float32))
