"""Reweighing, Kamiran and Calders 2012 (https://doi.org/10.1007/s10115-011-0463-8), section 4.2, algorithm 3."""

from __future__ import annotations

import numpy as np

from polygraft.data.cleaning.base import RowChange, RowStep
from polygraft.data.training_rows import TrainingRows


class Reweigh(RowStep):
    """Weigh training rows so that a group says nothing of the label: its weighted rate becomes the same in every group.

    A row of group s and label c gets P(s) P(c) / P(s, c), of the labelled rows by the weights they have; their sum stays what
    it was. Rows without a label keep their weight. A row's weight counts for all tasks of the table.
    group: the column of the groups, be it a feature or not; its missing values are a group.
    task: whose labels; absent, those of the table's only task with classes.
    """

    def __init__(self, group: str, task: str | None = None) -> None:
        self.group, self.task = group, task

    def change(self, rows: TrainingRows) -> RowChange:
        labels = rows.classes(self.task)
        present, groups = labels.present, rows.groups(self.group, "group")
        shape = int(groups.max(initial=0)) + 1, len(labels.levels)
        cells = groups[present] * shape[1] + labels.array[present]
        weights = np.bincount(cells, rows.weights[present].astype(np.float64), shape[0] * shape[1]).reshape(shape)
        independent = np.outer(weights.sum(1), weights.sum(0)) / max(weights.sum(), np.finfo(float).tiny)
        factors = np.ones(len(rows))
        # A cell that weighs nothing has no row whose factor would matter.
        factors[present] = np.where(weights > 0, independent / np.where(weights > 0, weights, 1), 1).reshape(-1)[cells]
        return RowChange(factors.astype(np.float32))
