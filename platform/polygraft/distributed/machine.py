"""What this machine offers to workers, asked before anything is started."""

from __future__ import annotations

import math
import os
from pathlib import Path

from polygraft.core.errors import UserError, fault
from polygraft.suite.apart import keepers
from polygraft.suite.schema import Suite

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cpus() -> int:
    """CPUs that this process may use: its affinity, and a container's quota where there is one."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        return max(1, min(allowed, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no container, or one without a quota ("max")
        return allowed


def require_cpus(suite: Suite, there: int | None = None) -> None:
    """Raise UserError when this machine (of `there` CPUs) does not hold the least number of workers that learn."""
    there = cpus() if there is None else there
    if (suite.workers.least - keepers(suite)) * suite.workers.threads > there:
        has = f"this machine has {there} CPU{'s' if there > 1 else ''}"
        raise too_many(suite, there // suite.workers.threads, has)


def too_many(suite: Suite, fits: int, has: str) -> UserError:
    """The error for more workers than there is room for, with the mend. has: what there is, for a person."""
    workers = suite.workers
    each = f" of {workers.threads} threads" if workers.threads > 1 else ""
    each += f" with {workers.gpus:g} GPU{'s' if workers.gpus > 1 else ''}" if workers.gpus else ""
    mend = f"Take at most {fits}" if fits else "Take fewer threads or GPUs a worker"
    return fault(
        f"workers: {workers.least}{each} are wanted, and there is room for {fits}: {has}. {mend}, or give the --address of "
        "a larger cluster.",
        suite.where("workers.count"),
    )
