"""Micro-F1 of a task of several labels, over all labels and test rows together at a probability of .5, of a run that has ended.

    python tests/bench/micro_f1.py RUN_FOLDER TASK

torchmetrics' F1 of a run is a mean over labels; where most are rare, papers tell this one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from polygraft.assembly.job import cache_of, laid_out
from polygraft.assembly.model import Model
from polygraft.assembly.tables import prepare_tables
from polygraft.data.batches import sequential
from polygraft.training.evaluate import CHUNK
from polygraft.training.predictor import Predictor


def micro_f1(folder: str | Path, task: str) -> float:
    """2 hits / (2 hits + misses + false alarms). The tables come from the cache beside the run's suite."""
    run = Path(folder)
    model = Model.load(run / "model")
    name = model.suite.tasks[task].tables[0]
    table = prepare_tables(laid_out(run), cache_of(run))[name]
    rows = table.splits["test"]
    batches = sequential(table, "test", CHUNK)
    outputs = Predictor(model.learner, torch.device("cpu")).outputs(name, batches, [task])[task]
    true = torch.from_numpy(table.targets[task][rows]).bool()
    present = torch.from_numpy(table.present[task][rows]).bool()
    said = (outputs > 0)[present]
    hits = int((said & true[present]).sum())
    return 2 * hits / (int(said.sum()) + int(true[present].sum()))


if __name__ == "__main__":
    print(f"micro-F1  {sys.argv[2]}  {micro_f1(sys.argv[1], sys.argv[2]):.4f}")
