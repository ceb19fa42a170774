"""Errors by group: what the newest finished run of a suite gets wrong in each group of a table's test rows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from polygraft.assembly.run import MODEL
from polygraft.data.group_error import NAMED, GroupError
from polygraft.data.opened import Opened
from polygraft.data.splits import TEST
from polygraft.storage.runs import all_runs
from polygraft.suite.schema import Suite

if TYPE_CHECKING:
    from torch import Tensor

    from polygraft.assembly.model import Model


def errors_by_group(suite: Suite, table: Opened, storage: Path) -> tuple[GroupError, ...]:
    """Of each task and each column that is named as a protected group; nothing where the newest finished run saw another table."""
    run = next((each for each in all_runs(storage, suite.suite) if each.finished), None)
    columns = [name for name in table.schema.names if NAMED.search(name)]
    if run is None or not columns or not (run.folder / MODEL).is_dir():
        return ()
    from polygraft.assembly.model import Model  # with torch, which a look at a table alone does without

    model = Model.load(run.folder / MODEL)
    if model.fingerprints.get(table.spec.name) != table.fingerprint:
        return ()
    return tuple(_errors(model, table, columns, run.run_id))


def _errors(model: Model, table: Opened, columns: list[str], run: str) -> Iterator[GroupError]:
    import torch

    from polygraft.assembly.scoring import labels_of
    from polygraft.core.padding import stacked

    outputs: dict[str, list[Tensor]] = defaultdict(list)
    labels: dict[str, list[tuple[Tensor, ...]]] = defaultdict(list)
    groups: dict[str, list[np.ndarray]] = defaultdict(list)
    name = table.spec.name
    for block, parts in table.blocks():
        tested = parts == TEST
        # The past of a moment may lie in another part.
        rows = block if model.preprocessors[name].series else block.filter(tested)
        keep = np.flatnonzero(tested) if rows is block else np.arange(len(rows))
        if not len(keep):
            continue
        for task, found in model.outputs(rows, name).items():
            batch = labels_of(model, rows, task, name, name)
            outputs[task].append(found[keep])
            labels[task].append(tuple(each[keep] for each in (*batch.asked(task), batch.weights)))
        for column in columns:
            groups[column].append(np.asarray(rows.column(column).to_pandas().astype(str))[keep])
    for task, parts_of in outputs.items():
        whole, (targets, present, weights) = stacked(parts_of), map(stacked, zip(*labels[task], strict=True))
        for column in columns:
            known = np.concatenate(groups[column])
            for group in np.unique(known):
                mine = torch.from_numpy(known == group)
                scores = model.objective(task).scores(whole[mine], targets[mine], present[mine], weights[mine])
                if error := _error(scores):
                    yield GroupError(task, column, str(group), int(present[mine].sum()), *error, run)


def _error(scores: dict[str, float]) -> tuple[float, float, str] | None:
    """(mean error of a row, its standard deviation, in which unit), of an objective's scores; None where it has no such scores."""
    if "accuracy" in scores:
        wrong = 1 - scores["accuracy"]
        return wrong, math.sqrt(max(wrong * (1 - wrong), 0.0)), "share of rows that are wrong"
    if "mae" in scores:
        return scores["mae"], math.sqrt(max(scores["rmse"] ** 2 - scores["mae"] ** 2, 0.0)), "mean absolute error"
    return None
