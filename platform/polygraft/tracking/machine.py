"""What this process uses of its machine, for the `system/` keys."""

from __future__ import annotations

import os
import resource
import sys


def usage() -> dict[str, float]:
    """CPU seconds of this process and its ended children, its peak memory in bytes, the machine's load per CPU."""
    mine, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "system/cpu_seconds": mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime,
        "system/peak_memory_bytes": float(mine.ru_maxrss * unit),
        "system/load_per_cpu": os.getloadavg()[0] / (os.cpu_count() or 1),
    }
