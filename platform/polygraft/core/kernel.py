"""How every kernel is compiled, and where compiled kernels are kept.

A kernel is serial, releases the GIL and sums in the order that is written. Importing this module imports numba (0.6 s): rooms
import kernels inside the functions that call them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba


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
    return numba.njit(nogil=True, cache=True, error_model="numpy")(function)


def inner_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """A part of a kernel, always inlined into it by LLVM, so that its loop is compiled for the caller's constants.

    A kernel on disk is compiled anew when its own file changes, not when a part's file does: touch the kernel's file then.
    """
    return numba.njit(nogil=True, error_model="numpy", forceinline=True)(function)
