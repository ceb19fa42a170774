"""The parts that a table's files are cut into, decided by the files alone: whole row groups of Parquet, whole other files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

PART_BYTES = 128 * 2**20
"""Row groups of a Parquet file follow one another in a part up to this size, as they are in memory."""
_TEXT_GROWS = {".gz": 6.0}  # a compressed text is so many times smaller than its columns are in memory
_PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class Part:
    """Rows that are cleaned by one task. groups: row groups of a Parquet file; None: the whole file."""

    number: int
    file: Path
    groups: range | None = None

    def __str__(self) -> str:
        groups = f"row groups {self.groups.start} to {self.groups.stop - 1} of " if self.groups else ""
        return f"{groups}{self.file.name}"


def plan_parts(files: Sequence[Path]) -> tuple[Part, ...]:
    """The parts of the files, in the order of their rows. Only the ends of Parquet files are read."""
    parts: list[Part] = []
    for file in files:
        for groups in _row_groups(file) if file.suffix.lower() in _PARQUET else [None]:
            parts.append(Part(len(parts), file, groups))
    return tuple(parts)


def size_in_memory(files: Sequence[Path]) -> int:
    """Bytes that the columns of the files take in memory, about; only the ends of Parquet files are read."""
    return sum(map(_size, files))


def _size(file: Path) -> int:
    on_disk = file.stat().st_size
    if file.suffix.lower() not in _PARQUET:
        return int(on_disk * _TEXT_GROWS.get(file.suffix.lower(), 1.0))
    try:
        metadata = parquet.read_metadata(file)
    except (pa.ArrowException, OSError):  # whoever reads it will say what is wrong with it
        return on_disk
    return sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))


def _row_groups(file: Path) -> list[range | None]:
    metadata = parquet.read_metadata(file)
    found: list[range | None] = []
    first, size = 0, 0
    for group in range(metadata.num_row_groups):
        size += metadata.row_group(group).total_byte_size
        if size >= PART_BYTES or group == metadata.num_row_groups - 1:
            found.append(range(first, group + 1))
            first, size = group + 1, 0
    return found or [range(0)]
