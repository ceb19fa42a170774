"""Suites of every objective without labels beside one with them, and runs of them on ranks that are spawned here, without Ray."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

import toy_suite
from polygraft.assembly.job import lay_out, work
from polygraft.suite.load import read
from polygraft.suite.origin import Origin
from polygraft.suite.schema import Suite
from ranks import leave

STEPS = 12
DELAY: dict[str, Any] = {"data": "toy", "target": "delay", "objective": "regression"}
TASKS: dict[str, dict[str, Any]] = {
    "columns": {
        "same": {"objective": {"name": "autoencoder", "code": 3}},
        "noisy": {"objective": {"name": "autoencoder", "noise": "gaussian"}, "head": {"name": "dense", "hidden": [8]}},
        "code": {"objective": {"name": "vae", "latent": 2}},
        "hidden": {"objective": {"name": "masked", "fill": "marginal"}},
        "alike": {"objective": {"name": "contrastive", "size": 8}},
    },
    "drawn": {
        "fake": {"objective": {"name": "gan", "latent": 3, "hidden": [8]}},
        "critic": {"objective": {"name": "gan", "loss": "wasserstein", "critic_steps": 3, "hidden": [8]}},
    },
}
"""By suite, the tasks beside `delay`: what a generator draws has no categories."""


def suite(folder: Path, kind: str, balancer: str = "pcgrad") -> Suite:
    """On the toy table."""
    tasks = {name: {"data": "toy", **each} for name, each in TASKS[kind].items()}
    drop = ["late"] if kind == "columns" else ["late", "kind"]
    raw = {
        **toy_suite.RAW,
        "data": {"toy": {"source": "toy.csv", "drop": drop}},
        "balancer": {"name": balancer},
        "tasks": {**tasks, "delay": DELAY},
        "train": {"steps": STEPS, "batch_size": 67, "shards": 5, "evaluate_every": 6, "log_every": 3, "clip": 1.0},
    }
    return read(raw, Origin("suite.yaml", folder, {}))


def run_on(world: int, home: Path, folders: Mapping[str, Path]) -> None:
    """Whole runs of suites, one after the other, on so many ranks; the table is prepared already."""
    for kind, folder in folders.items():
        folder.mkdir(parents=True)
        lay_out(suite(home, kind), folder)
    on_ranks(world, folders)


def on_ranks(world: int, folders: Mapping[str, Path]) -> None:
    """The runs that lie in these folders, one after the other."""
    multiprocessing.spawn(_rank, (world, [*map(str, folders.values())]), nprocs=world)


def _rank(rank: int, world: int, folders: list[str]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folders[0]}/rendezvous", rank=rank, world_size=world)
    try:
        for folder in folders:
            work(Path(folder), attempt=1)
    finally:
        dist.destroy_process_group()
    leave()
