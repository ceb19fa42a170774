"""A run's work on several processes over gloo, without Ray: a module, for spawned processes import it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch.distributed as dist

from polygraft.assembly.job import work
from ranks import leave


def begin(rank: int, world: int, folder: Path, attempt: int) -> BaseProcess:
    """`take_part` in a process of its own."""
    process = multiprocessing.get_context("spawn").Process(target=_rank, args=(rank, world, folder, attempt))
    process.start()
    return process


def begin_each(rank: int, folders: Mapping[int, Path]) -> BaseProcess:
    """`take_part_in_each` in a process of its own."""
    process = multiprocessing.get_context("spawn").Process(target=_rank_of_each, args=(rank, folders))
    process.start()
    return process


def take_part_in_each(rank: int, folders: Mapping[int, Path]) -> None:
    """Do one run after the other, by how many workers each has, where this rank is one of them."""
    for world, folder in folders.items():
        if rank < world:
            take_part(rank, world, folder, attempt=1)


def take_part(rank: int, world: int, folder: Path, attempt: int) -> None:
    """Do, or go on with, the run in `folder` as one of `world` workers, which meet at a file beside it."""
    meeting = folder.parent / f"meeting-{folder.name}-{attempt}"
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=world)
    try:
        work(folder, attempt=attempt)
    finally:
        dist.destroy_process_group()


def _rank(rank: int, world: int, folder: Path, attempt: int) -> None:
    take_part(rank, world, folder, attempt)
    leave()


def _rank_of_each(rank: int, folders: Mapping[int, Path]) -> None:
    take_part_in_each(rank, folders)
    leave()
