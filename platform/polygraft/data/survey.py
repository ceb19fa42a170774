"""A table seen once, batch by batch: each column's statistics, a hash of each row, and a sample of the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa

from polygraft.data.group_error import GroupError
from polygraft.data.row_hash import row_hashes
from polygraft.data.spec import TableSpec
from polygraft.data.splits import NAMES
from polygraft.data.statistics import Moments, Statistics, statistics

BATCH = 65_536
SAMPLE = 20_000


@dataclass(frozen=True)
class Survey:
    """What the checks are shown of one table.

    hashes: uint64 [rows], of all columns but the one that the split reads. parts: uint8 [rows], the split of each row.
    sample: about 20,000 rows, or all when there are fewer; sample_parts: their splits. Only `hashes` and `parts` grow with
    the rows, by 9 bytes a row; the check that counts duplicates takes another 17 while it does. others: the tables of the suite that stand before this one, so that a check which compares
    tables tells each pair once. errors: of the newest finished run by group, where there is one.
    """

    spec: TableSpec
    columns: Mapping[str, Statistics]
    hashes: np.ndarray
    parts: np.ndarray
    sample: pa.Table
    sample_parts: np.ndarray
    others: Mapping[str, Survey] = field(default_factory=dict)
    errors: tuple[GroupError, ...] = ()

    @property
    def rows(self) -> int:
        return len(self.hashes)

    @cached_property
    def features(self) -> list[str]:
        """Columns that a network would be shown: not dropped, no target, no weight, not the split's own."""
        targets = {column for each in self.spec.targets for column in each.columns}
        aside = {*self.spec.drop, *targets, self.spec.weight}
        if self.spec.split.by in ("column", "group"):
            aside.add(self.spec.split.column)
        return [name for name in self.columns if name not in aside]

    def numbers(self, column: str) -> np.ndarray:
        """float64 [sample rows] of a number or boolean column, or of a date's seconds since 1970, missing as NaN; empty for
        other types.
        """
        values = self.sample.column(column)
        type_ = values.type
        if pa.types.is_boolean(type_):
            values = values.cast(pa.uint8())
        elif pa.types.is_timestamp(type_) or pa.types.is_date(type_):
            moments = values.cast(pa.timestamp("us", getattr(type_, "tz", None)), safe=False)
            return np.asarray(moments.cast(pa.int64()).to_numpy(), np.float64) / 1e6
        elif not (pa.types.is_integer(type_) or pa.types.is_floating(type_)):
            return np.empty(0)
        return np.asarray(values.to_numpy(), np.float64)


def survey(table: pa.Table, spec: TableSpec, parts: np.ndarray) -> Survey:
    """Of a table in memory, whose rows belong to `parts` (uint8 [rows])."""
    return survey_blocks(spec, table.schema, table.num_rows, [(table, parts)])


def survey_blocks(
    spec: TableSpec, schema: pa.Schema, rows: int, blocks: Iterable[tuple[pa.Table, np.ndarray]]
) -> Survey:
    """The one pass over a table of so many rows; blocks: some rows and their splits (uint8 [rows]). Any cut comes to the same."""
    apart = spec.split.column if spec.split.by == "column" else None
    rng = np.random.default_rng(spec.seed)
    found = {field.name: Statistics(levels={}, moments=Moments() if _numeric(field.type) else None) for field in schema}
    hashes, parts = np.empty(rows, np.uint64), np.empty(rows, np.uint8)
    taken_parts, samples, row = [np.empty(0, np.uint8)], [], 0
    for batch, some in _batches(blocks):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            found[name] = found[name].merge(statistics(column, found[name].levels is not None))
        compared = {name: batch.column(name) for name in batch.schema.names if name != apart}
        hashes[row : row + len(batch)] = row_hashes(compared, len(batch))
        parts[row : row + len(batch)] = some
        taken = rng.random(len(batch)) < SAMPLE / max(1, rows)
        taken_parts.append(some[taken])
        samples.append(batch.filter(pa.array(taken)))
        row += len(batch)
    sample = pa.Table.from_batches(samples, schema)
    return Survey(spec, found, hashes, parts, sample, np.concatenate(taken_parts))


def _batches(blocks: Iterable[tuple[pa.Table, np.ndarray]]) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]:
    for table, parts in blocks:
        row = 0
        for batch in table.to_batches(max_chunksize=BATCH):
            yield batch, parts[row : row + len(batch)]
            row += len(batch)


def part_names() -> dict[int, str]:
    """The splits' names by their numbers."""
    return {number: name for name, number in NAMES.items()}


def _numeric(type_: pa.DataType) -> bool:
    inner = type_.value_type if pa.types.is_dictionary(type_) else type_
    return bool(pa.types.is_integer(inner) or pa.types.is_floating(inner) or pa.types.is_decimal(inner))
