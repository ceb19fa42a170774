"""How every kernel is compiled, and on how many threads kernels run side by side.

A kernel is serial, releases the GIL and is generic over columns; a thread pool runs several at once, one on each column or
each block of rows. Numba's own `parallel=True` would split each kernel instead: it takes seconds more to compile and to load,
and two threads that enter it at once abort the process on the `workqueue` threading layer (our prefetch thread would be the
second). No sum is split between threads, so results do not depend on how many there are.

Importing this module imports numba (0.6 s): the rest of the room imports kernels inside the functions that call them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numba

Item = TypeVar("Item")
Result = TypeVar("Result")


def cache_folder() -> str | None:
    """Where compiled kernels are kept; None leaves it to numba, which takes `__pycache__` beside the kernels."""
    if os.environ.get("NUMBA_CACHE_DIR") or os.access(Path(__file__).parent, os.W_OK):
        return None
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "polygraft" / "numba"
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError:
        return tempfile.mkdtemp(prefix="polygraft-numba-")
    return str(home)


if folder := cache_folder():
    numba.config.CACHE_DIR = folder  # type: ignore[attr-defined]


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call, once for each combination of types, and keep it on disk. Division by 0 gives inf, not an error."""
    return numba.njit(nogil=True, cache=True, error_model="numpy")(function)  # type: ignore[no-any-return]


def inner_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """A part of a kernel, always inlined into it by LLVM, so that its loop is compiled for the caller's constants.

    A kernel on disk is compiled anew when its own file changes, not when a part's file does: touch the kernel's file then.
    """
    return numba.njit(nogil=True, error_model="numpy", forceinline=True)(function)  # type: ignore[no-any-return]


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
