"""What is done to one part of a streamed table, by whichever process: look at it, gather what fitting needs, clean and encode it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from polygraft.core.errors import Fault
from polygraft.data.arrays import Piece
from polygraft.data.blocks import Reader
from polygraft.data.cache import once
from polygraft.data.checks import Checked, read_weights
from polygraft.data.columns import UnfitError, conform
from polygraft.data.encoders import registry as encoders
from polygraft.data.feature import encode_features
from polygraft.data.parts import Part
from polygraft.data.preprocessor import Preprocessor
from polygraft.data.spec import Kind, Step, TableSpec
from polygraft.data.splits import NAMES
from polygraft.data.streamed_splits import Look, Splitter, look
from polygraft.data.tallies import ColumnTally, LabelTally
from polygraft.data.target import Target
from polygraft.data.targets import encode_labels

_ROW = re.compile(r"\brow ([\d,]+)")


@dataclass(frozen=True)
class Job:
    """What a task on a part is told; it pickles. spec: knows no places, faults are told by path. scratch: seen by every process."""

    spec: TableSpec
    reader: Reader
    parts: tuple[Part, ...]
    features: Mapping[str, tuple[Kind, Step]]
    scratch: Path
    splitter: Splitter | None = None
    preprocessor: Preprocessor | None = None
    targets: Mapping[str, Target] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """All that is read of the table."""
        spec = self.spec
        asked = [*self.features, *(column for target in spec.targets for column in target.columns), spec.weight]
        asked.append(spec.split.column if spec.split.by != "random" else None)
        return [name for name in self.reader.schema.names if name in asked]

    def blocks(self, part: Part) -> Iterator[tuple[pa.Table, int, np.ndarray]]:
        """(block, its first row, the split of each row)."""
        assert self.splitter is not None, "the parts were not looked at"
        for block, parts in self.splitter.of(part, self.reader.blocks(part, self.columns)):
            yield block.table, block.first, parts


@dataclass
class Gathered:
    """What fitting needs of some rows. faults: (path in the table's description, what is wrong). rows: int64 [of each split]."""

    columns: dict[str, ColumnTally]
    labels: dict[str, LabelTally]
    faults: list[tuple[str, str]] = field(default_factory=list)
    rows: np.ndarray = field(default_factory=lambda: np.zeros(len(NAMES), np.int64))

    def merge(self, other: Gathered) -> None:
        """See what another saw of the rows that come next; it must not be used any more."""
        for name, tally in other.columns.items():
            self.columns[name].merge(tally)
        for task, labels in other.labels.items():
            self.labels[task].merge(labels)
        self.faults, self.rows = self.faults + other.faults, self.rows + other.rows


def look_at(job: Job, number: int) -> Look | str:
    """The first look at a part, which says what the split needs; or why its split cannot be made."""
    try:
        return look(job.spec.split, job.reader, job.parts[number], job.scratch)
    except UnfitError as error:
        return str(error)


def gather(job: Job, number: int) -> Gathered:
    """One pass over a part; it ends at the first block with a fault."""
    spec, part = job.spec, job.parts[number]
    schema = job.reader.schema
    found = Gathered(
        {name: ColumnTally() for name in job.features},
        {each.task: LabelTally(each, schema.field(each.columns[0]).type) for each in spec.targets},
    )
    made = {name: encoders.make(step[0], step[1], beside=spec.plugins) for name, (_, step) in job.features.items()}
    for table, first, parts in job.blocks(part):
        checked = Checked()
        found.rows += np.bincount(parts, minlength=len(NAMES))
        found.faults += [("weight", _placed(each, first, part)) for each in read_weights(spec, table, checked)]
        for name, (kind, _) in job.features.items():
            try:
                column = conform(table.column(name), kind)
            except UnfitError as error:
                found.faults.append((f"columns.{name}", f"'{name}' is a {kind}, but {_placed(error, first, part)}"))
                continue
            found.columns[name].add(table.column(name), column, parts, made[name])
        for task, labels in found.labels.items():
            try:
                labels.add(table, parts, checked.weights)
            except UnfitError as error:
                found.faults.append((f"targets.{task}", _placed(error, first, part)))
        if found.faults:
            break
    return found


def clean(job: Job, number: int) -> Path:
    """The folder of a part's arrays, cleaned and encoded; it exists whole or not at all."""
    part = job.parts[number]
    return once(job.scratch / f"part-{number:05}", lambda folder: _clean(job, part, folder))


def _clean(job: Job, part: Part, folder: Path) -> None:
    assert job.preprocessor is not None, "nothing was fitted"
    with Piece(folder) as piece:
        for table, _, parts in job.blocks(part):
            checked = Checked()
            read_weights(job.spec, table, checked)
            columns = {name: conform(table.column(name), kind) for name, (kind, _) in job.features.items()}
            encoded, _ = encode_features(job.preprocessor.features, columns, job.preprocessor.plugins)
            arrays: dict[str, np.ndarray] = {"part": parts, "weights": checked.weights}
            arrays |= {name: each for name, each in encoded.items() if isinstance(each, np.ndarray) and each.shape[1]}
            for task, target in job.targets.items():
                values, present = encode_labels(target, table)
                assert isinstance(values, np.ndarray), "what differs in length is not streamed"
                arrays[f"target/{task}"], arrays[f"present/{task}"] = values, present.view(np.uint8)
            piece.append(arrays)


def _placed(error: Fault | UnfitError, first: int, part: Part) -> str:
    """The error's words, with rows of the block as rows of the part."""
    words = error.what.partition(": ")[2] if isinstance(error, Fault) else str(error)
    return _ROW.sub(lambda match: f"row {int(match[1].replace(',', '')) + first:,} of {part}", words)
