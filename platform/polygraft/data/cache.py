"""The cache: what was made from the same bytes by the same words is never made twice, on any process of a node.

A folder of the cache is called by the digest of what went into it, is written beside its final name and renamed, and never
changes afterwards; while one process makes it, the others wait at a file lock, which dies with its holder.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from polygraft.data.images import Images
from polygraft.data.ragged import Encoded, Ragged

FORMAT = 3
"""Of what lies in the cache: raise it with every change of what `prepare` computes or writes."""


class Digest:
    """A growing hash of words and files; equal words in equal order give equal digests."""

    def __init__(self, *words: object) -> None:
        self._hash = hashlib.sha256()  # the CPU's own instructions make it faster than blake2b
        self.words(FORMAT, *words)

    def words(self, *words: object) -> None:
        """Add JSON-able words."""
        self._hash.update(json.dumps(words, sort_keys=True, default=str).encode() + b"\n")

    def file(self, path: Path) -> None:
        """Add a file's bytes (its name is no part of its content)."""
        self.words(path.stat().st_size)
        with path.open("rb", buffering=0) as source:
            block = bytearray(1 << 20)
            while size := source.readinto(block):
                self._hash.update(memoryview(block)[:size])

    def hex(self) -> str:
        """32 hexadecimal digits."""
        return self._hash.hexdigest()[:32]


def once(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, made by `make(temporary folder)` unless it is there; one process makes it, the others wait for it."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder.parent / f".{folder.name}.lock"):
        if not folder.is_dir():
            temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
            try:
                temporary.chmod(0o755)
                make(temporary)
                _publish(temporary, folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _publish(temporary: Path, folder: Path) -> None:
    for each in [*temporary.rglob("*"), temporary]:
        handle = os.open(each, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    try:
        os.rename(temporary, folder)
    except OSError:
        if not folder.is_dir():  # else another host, which our lock does not reach, was first: its content is the same
            raise


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        with suppress(OSError):  # a file system without locks: work may be done twice, the rename still decides
            fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: Mapping[str, Encoded]) -> None:
    """Write arrays of as many rows each, [rows, ...] or ragged, as the one record batch of an Arrow IPC file."""
    batch = pa.record_batch({name: _to_arrow(array) for name, array in arrays.items()})
    with ipc.new_file(str(path), batch.schema) as writer:
        writer.write_batch(batch)


def _to_arrow(array: Encoded) -> pa.Array:
    """A column of lists of fixed size, an axis each; of lists of any size where rows differ. Of images, what they are made of."""
    if isinstance(array, Images):
        array = array.array
    if isinstance(array, Ragged):
        return pa.LargeListViewArray.from_arrays(
            pa.array(array.starts), pa.array(array.lengths), _to_arrow(array.values)
        )
    column = pa.array(np.ascontiguousarray(array).reshape(-1))
    for size in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column


def _from_arrow(column: pa.Array) -> Encoded:
    if isinstance(column, pa.LargeListViewArray):
        values = _from_arrow(column.values)
        assert isinstance(values, np.ndarray)
        return Ragged(values, column.offsets.to_numpy(zero_copy_only=True), column.sizes.to_numpy(zero_copy_only=True))
    shape = [len(column)]
    while isinstance(column, pa.FixedSizeListArray):
        shape.append(column.type.list_size)
        column = column.flatten()
    return column.to_numpy(zero_copy_only=True).reshape(shape)


def map_arrays(path: Path) -> dict[str, Encoded]:
    """The arrays of such a file, read-only and memory-mapped: processes of a node share one copy."""
    reader = ipc.open_file(pa.memory_map(str(path)))
    batch = reader.get_batch(0)
    return {name: _from_arrow(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)}


def read_json(path: Path) -> Any:
    """The value of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
