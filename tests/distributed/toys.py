"""What the worker groups of these tests run: small functions in place of a training."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import torch
import torch.distributed as dist

from polygraft.assembly.job import work
from polygraft.assembly.run import Run
from polygraft.core.errors import RunFailed, fault
from polygraft.core.logs import log


def total(folder: str = "", steps: int = 1, pause_s: float = 0.0) -> dict[str, float]:
    """Sum the ranks `steps` times; each rank leaves its pid in `folder`."""
    if folder:
        (Path(folder) / f"pid-{dist.get_rank()}").write_text(str(os.getpid()))
    value = torch.zeros(1)
    for _ in range(steps):
        value = torch.tensor([float(dist.get_rank() + 1)])
        dist.all_reduce(value)
        time.sleep(pause_s)
    log().info("rank %d is through", dist.get_rank())
    return {"sum": value.item(), "threads": torch.get_num_threads(), "world": dist.get_world_size()}


def refuse(rank: int) -> None:
    """Rank `rank` refuses what the user gave; the others wait for it in a collective."""
    if dist.get_rank() == rank:
        raise fault("no column 'x'", "suite.yaml:3")
    dist.barrier()


def fail(rank: int) -> None:
    """Rank `rank` gives the run up; the others wait for it in a collective."""
    if dist.get_rank() == rank:
        raise RunFailed("the loss of 'late' is NaN at step 7")
    dist.barrier()


def crash(rank: int) -> None:
    """Rank `rank` meets what nobody foresaw; the others wait for it in a collective."""
    if dist.get_rank() == rank:
        {}["absent"]
    dist.barrier()


def work_then_die(folder: Path, *, attempt: int) -> Run:
    """The real work; in the first attempt rank 1 is killed when all is saved, before it can say so."""
    result = work(folder, attempt=attempt)
    if attempt == 1 and dist.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return result


def always_die(folder: Path, *, attempt: int) -> None:
    """A worker that dies in every attempt."""
    os.kill(os.getpid(), signal.SIGKILL)


def slowest_first(number: int) -> int:
    """The number's square, the sooner the larger it is."""
    time.sleep(0.3 * (3 - number))
    return number**2


def die_once(folder: Path, number: int) -> int:
    """The number; the first process that is asked for it is killed."""
    mark = folder / str(number)
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_at_one(number: int) -> int:
    """The number; whoever is asked for 1 is killed."""
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number
