"""On how many threads kernels run side by side.

A kernel is serial and generic over columns; a thread pool runs several at once, one on each column or each block of rows.
Numba's own `parallel=True` would split each kernel instead: it takes seconds more to compile and to load, and two threads
that enter it at once abort the process on the `workqueue` threading layer (our prefetch thread would be the second). No
sum is split between threads, so results do not depend on how many there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def threads() -> int:
    """How many kernels run at once: the CPUs this process may use, or OMP_NUM_THREADS (which Ray sets by an actor's CPUs)."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wished = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(allowed, int(wished))) if wished.isdigit() else allowed


def each(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`[function(item) for item in items]`, several at once."""
    work = list(items)
    if threads() == 1 or len(work) < 2:
        return [function(item) for item in work]
    with ThreadPoolExecutor(min(threads(), len(work))) as pool:
        return list(pool.map(function, work))
