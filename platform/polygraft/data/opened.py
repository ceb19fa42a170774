"""A raw table without fault, read again as often as is asked: held where training would hold it, else block by block."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from polygraft.data.checks import check
from polygraft.data.part_tasks import Job
from polygraft.data.preparation import Source, fingerprint_of, source_of
from polygraft.data.spec import TableSpec
from polygraft.data.streaming import fitted, one_by_one, too_large

Blocks = Iterator[tuple[pa.Table, np.ndarray]]


@dataclass(frozen=True)
class Opened:
    """spec: with the targets that are raw columns; a label ahead is none. blocks: gives the rows in their order, all columns, each block with its rows' splits, uint8 [rows].

    fingerprint: of the table that training would prepare of it: equal content and description, equal fingerprint.
    """

    spec: TableSpec
    schema: pa.Schema
    rows: int
    fingerprint: str
    blocks: Callable[[], Blocks]


def opened(spec: TableSpec, cache: Path) -> Opened:
    """The table, read once. Raises UserError with the faults that training would tell."""
    source = source_of(spec, cache)
    streamed = too_large(source.files, spec.memory)
    fingerprint = fingerprint_of(spec, source.digest, streamed)
    if streamed:
        return _streamed(spec, source, fingerprint, cache)
    table = source.read()
    parts = check(spec, table).parts
    raw = set(table.column_names)
    spec = replace(spec, targets=tuple(each for each in spec.targets if raw.issuperset(each.columns)))
    return Opened(spec, table.schema, table.num_rows, fingerprint, lambda: iter([(table, parts)]))


def _streamed(spec: TableSpec, source: Source, fingerprint: str, cache: Path) -> Opened:
    (cache / "parts").mkdir(parents=True, exist_ok=True)
    # Not the folder of the same table that a run may be cleaning meanwhile; what stands there is needed for the cuts alone.
    with tempfile.TemporaryDirectory(dir=cache / "parts", prefix="check-") as scratch:
        job = fitted(spec, source.files, Path(scratch), one_by_one)
    assert job.splitter is not None, "the parts were looked at"
    return Opened(spec, job.reader.schema, job.splitter.before[-1], fingerprint, lambda: _blocks(job))


def _blocks(job: Job) -> Blocks:
    assert job.splitter is not None, "the parts were looked at"
    for part in job.parts:
        for block, parts in job.splitter.of(part, job.reader.blocks(part)):
            yield block.table, parts
