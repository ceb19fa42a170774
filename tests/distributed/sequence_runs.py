"""Suites of every objective on sequences, and runs of them on ranks that are spawned here, without Ray."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

from polygraft.assembly import experiments
from polygraft.assembly.job import lay_out, work
from polygraft.suite.load import read
from polygraft.suite.origin import Origin
from polygraft.suite.schema import Suite
from polygraft.training import evaluate
from ranks import leave

STEPS = 12
LETTERS = list("abcdefgh")
LSTM: dict[str, Any] = {"name": "lstm", "widths": [12], "bidirectional": True, "dropout": 0.1}
CAUSAL: dict[str, Any] = {"name": "transformer", "layers": 1, "heads": 2, "causal": True, "dropout": 0.1}
SMALL: dict[str, Any] = {"name": "decoder", "width": 12, "embedding": 4, "attention": 6, "dropout": 0.1}
BLOCKS: dict[str, Any] = {"name": "transformer_decoder", "layers": 1, "heads": 2, "width": 8, "dropout": 0.1}
TASKS: dict[str, dict[str, dict[str, Any]]] = {
    "both ways": {
        "copy": {"target": "copy", "head": SMALL, "objective": {"name": "seq2seq", "own": 0.5, "own_after": 5}},
        "loud": {"target": "loud", "objective": "sequence_tagging"},
        "where": {"target": ["first", "last"], "objective": "span"},
    },
    "causal": {
        "copy": {
            "target": "copy",
            "head": BLOCKS,
            "objective": {"name": "seq2seq", "own": 0.5, "own_after": 5, "beam": 2},
        },
        "back": {"target": "back", "head": SMALL, "objective": {"name": "seq2seq", "language_model": 0.3}},
        "next": {"objective": "language_model"},
    },
}
"""By suite, its tasks: all on one text of letters."""


def write_table(folder: Path, rows: int = 400) -> None:
    """Lists of up to 20 letters, the longest last, so that chunks of rows differ in length; some labels are missing."""
    chance = np.random.default_rng(0)
    lists = [chance.choice(LETTERS, size).tolist() for size in np.sort(chance.integers(0, 21, rows))]
    found = [(each.index("c"), len(each) - 1) if "c" in each else (None, None) for each in lists]
    frame = pd.DataFrame({"seen": lists, "copy": lists, "back": [each[::-1] for each in lists]})
    frame["loud"] = [["vowel" if letter in "ae" else "other" for letter in each] for each in lists]
    frame.loc[chance.random(rows) < 0.2, "back"] = None
    frame[["first", "last"]] = found
    frame["part"] = np.where(np.arange(rows) % 3 == 0, "test", "train")
    frame.to_parquet(folder / "letters.parquet")


def suite(folder: Path, kind: str, backbone: dict[str, Any] | None = None, offers: str = "sequence") -> Suite:
    """On that table; of the columns that are no target of a suite none is read. offers: what the tokens' stem does."""
    tasks = {name: {"data": "letters", **each} for name, each in TASKS[kind].items()}
    wanted = {"copy", "back", "loud", "first", "last"}
    for task in TASKS[kind].values():
        wanted -= set(np.atleast_1d(task.get("target", [])).tolist())
    raw = {
        "suite": "letters",
        "seed": 1,
        "data": {
            "letters": {
                "source": "letters.parquet",
                "drop": sorted(wanted),
                "stem": {"name": "tokens", "width": 8, "offers": offers},
                "split": {"by": "column", "column": "part", "test": "test", "validation": 0.4},
            }
        },
        "backbone": backbone or (LSTM if kind == "both ways" else CAUSAL),
        "balancer": {"name": "pcgrad"},
        "tasks": tasks,
        "train": {"steps": STEPS, "batch_size": 37, "shards": 5, "evaluate_every": 6, "log_every": 3, "clip": 1.0},
    }
    return read(raw, Origin("suite.yaml", folder, {}))


@contextmanager
def small_chunks() -> Iterator[None]:
    """Evaluation in chunks of 20 rows, so that every rank has some."""
    before, evaluate.CHUNK = evaluate.CHUNK, 20
    experiments.CHUNK = 20
    try:
        yield
    finally:
        evaluate.CHUNK = experiments.CHUNK = before


def run_on(world: int, suites: Mapping[Path, Suite]) -> None:
    """Whole runs of suites, one after the other, on so many ranks; the table is prepared already."""
    for folder, said in suites.items():
        folder.mkdir(parents=True)
        lay_out(said, folder)
    multiprocessing.spawn(_rank, (world, [*map(str, suites)]), nprocs=world)


def _rank(rank: int, world: int, folders: list[str]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folders[0]}/rendezvous", rank=rank, world_size=world)
    try:
        with small_chunks():
            for folder in folders:
                work(Path(folder), attempt=1)
    finally:
        dist.destroy_process_group()
    leave()
