"""Arrays over rows that are written piece by piece, joined in their order, and memory-mapped: a file for each."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

import numpy as np

from polygraft.core.atomic import write_json
from polygraft.data.cache import read_json

_FORMS = "arrays.json"
_COPIED = 2**20  # bytes at a time


class Piece:
    """A folder that takes arrays [rows, ...], some rows at a time; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}
        self._forms: dict[str, dict[str, Any]] = {}
        self._stack = ExitStack()

    def append(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Write these rows behind the others; each call brings the same arrays."""
        for name, array in arrays.items():
            if name not in self._files:
                self._files[name] = self._stack.enter_context((self._folder / quote(name, safe="")).open("wb"))
                self._forms[name] = {"type": array.dtype.str, "shape": list(array.shape[1:])}
            self._files[name].write(np.ascontiguousarray(array).data.cast("B"))

    def __enter__(self) -> Piece:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        write_json(self._folder / _FORMS, self._forms)


def join(pieces: Sequence[Path], folder: Path) -> None:
    """Write the pieces' arrays, one behind the other, as `.npy` files. A piece to which nothing was appended is passed over."""
    folder.mkdir()
    filled = [(piece, forms) for piece in pieces if (forms := read_json(piece / _FORMS))]
    for name, form in filled[0][1].items():
        there = [piece / quote(name, safe="") for piece, _ in filled]
        kind, tail = np.dtype(form["type"]), tuple(form["shape"])
        rows = sum(file.stat().st_size for file in there) // (kind.itemsize * int(np.prod(tail)))
        with (folder / f"{quote(name, safe='')}.npy").open("wb") as out:
            head = {"descr": form["type"], "fortran_order": False, "shape": (rows, *tail)}
            np.lib.format.write_array_header_1_0(out, head)
            for file in there:
                with file.open("rb") as source:
                    shutil.copyfileobj(source, out, _COPIED)


def write_places(codes: np.ndarray, names: Mapping[str, int], folder: Path) -> None:
    """For each name a file of the rows (int64, ascending) that hold its code, found some rows at a time."""
    folder.mkdir()
    counts = dict.fromkeys(names, 0)
    blocks = [codes[first : first + _COPIED] for first in range(0, len(codes), _COPIED)]
    for block in blocks:
        for name, code in names.items():
            counts[name] += int(np.count_nonzero(block == code))
    for name, code in names.items():
        with (folder / f"{quote(name, safe='')}.npy").open("wb") as out:
            np.lib.format.write_array_header_1_0(
                out, {"descr": "<i8", "fortran_order": False, "shape": (counts[name],)}
            )
            for number, block in enumerate(blocks):
                out.write((np.flatnonzero(block == code) + number * _COPIED).astype("<i8").data.cast("B"))


def map_folder(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of such a folder, read-only and memory-mapped: processes of a node share one copy."""
    files = sorted(folder.glob("*.npy"))
    return {unquote(file.stem): np.load(file, mmap_mode="r").view(np.ndarray) for file in files}
