"""Series: rows that are moments of something, and the columns that are made of a row's past, or of what lies ahead of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polygraft.core.errors import Fault, nearest
from polygraft.data.arrow_types import kind_of
from polygraft.data.columns import UnfitError
from polygraft.data.spec import SeriesSpec, TableSpec, lag_name, window_name
from polygraft.data.splits import times, values_of
from polygraft.data.target import Labels
from polygraft.data.targets import labels_without


@dataclass(frozen=True)
class Chains:
    """Rows series by series, each in the order of its time; rows of equal time stand as they stand in the table.

    order: int64 [rows], row numbers. places: int64 [rows], where in `order` each row stands. firsts, lasts: int64 [rows],
    where its series begins there, and the place behind its end. A row without a time is a series of its own.
    """

    order: np.ndarray
    places: np.ndarray
    firsts: np.ndarray
    lasts: np.ndarray

    def shifted(self, later: int) -> np.ndarray:
        """int64 [rows]: the row of the same series so many rows later, earlier where negative; -1 where there is none."""
        places = self.places + later
        there = (places >= self.firsts) & (places < self.lasts)
        return np.where(there, self.order[np.where(there, places, 0)], -1)

    def stretches(self, length: int, lag: int) -> tuple[np.ndarray, np.ndarray]:
        """(starts, lengths), int64 [rows]: the part of `order` that ends `lag` rows before each row, itself included where 0."""
        stops = self.places + 1 - lag
        starts = np.maximum(self.firsts, stops - length)
        lengths = np.maximum(stops - starts, 0)
        return np.where(lengths > 0, starts, 0), lengths


def chains(spec: SeriesSpec, table: pa.Table) -> Chains:
    """The table's series. Raises UnfitError, with a text that begins at the setting: `time: ...`."""
    time = _read("time", times, table.column(spec.time))
    series = np.zeros(table.num_rows, np.int64)
    for name in spec.by:
        values, each = _read("by", values_of, table.column(name))
        series = np.unique(series * (len(values) + 1) + each, return_inverse=True)[1]
    alone = np.asarray(time.is_null())
    series[alone] = series.max(initial=0) + 1 + np.arange(alone.sum())
    # A stable sort, so that rows of equal time are earlier or later as the table has them.
    order = np.lexsort((np.asarray(pc.rank(time, tiebreaker="dense"), np.int64), series))
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    begins = np.flatnonzero(np.diff(series[order], prepend=-1))
    counts = np.diff(begins, append=len(order))
    firsts = np.repeat(begins, counts)[places]
    return Chains(order, places, firsts, firsts + np.repeat(counts, counts)[places])


def _read(setting: str, how, column: pa.ChunkedArray):  # type: ignore[no-untyped-def]
    try:
        return how(column)
    except UnfitError as error:
        raise UnfitError(f"{setting}: {str(error).removeprefix('column: ')}") from None


def extended(spec: SeriesSpec, table: pa.Table, made: Chains) -> pa.Table:
    """The table with its made columns behind its own; what lies ahead of a column that is not there is left out.

    A window is a stretch of ONE array of all values in the order of their series: none is written out.
    """
    for name, (column, later) in spec.shifted.items():
        if column in table.column_names or later < 0:
            rows = made.shifted(later)
            table = table.append_column(name, _taken(table.column(column), pa.array(rows, mask=rows < 0)))
    for column, window in spec.windows.items():
        starts, lengths = made.stretches(window.length, window.lag)
        values = _taken(table.column(column), pa.array(made.order))
        views = pa.LargeListViewArray.from_arrays(pa.array(starts), pa.array(lengths), values)
        table = table.append_column(window_name(column), views)
    return table


def _taken(column: pa.ChunkedArray, rows: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return pa.concat_arrays(column.chunks).take(rows) if column.num_chunks else column.combine_chunks()


def extended_spec(spec: TableSpec) -> TableSpec:
    """The description with the kinds of lagged columns: those of what they are made of."""
    assert spec.series is not None
    kinds = {
        lag_name(name, lag): spec.columns[name]
        for name, lags in spec.series.lags.items()
        for lag in lags
        if name in spec.columns
    }
    return replace(spec, columns={**kinds, **spec.columns})


def series_faults(spec: TableSpec, table: pa.Table) -> list[Fault]:
    """Columns that are not there, and made ones whose names are taken."""
    said, names = spec.series, table.column_names
    if said is None:
        return []
    named = [("time", said.time), *((f"by.{i}", name) for i, name in enumerate(said.by))]
    for role in ("lags", "windows", "ahead"):
        named += [(f"{role}.{name}", name) for name in getattr(said, role)]
    faults = [
        spec.fault(f"series.{place}", f"the table '{spec.name}' has no column '{name}'.{nearest(name, names)}")
        for place, name in named
        if name not in names
    ]
    for name in (each for each in said.windows if each in names):
        type_ = table.schema.field(name).type
        if kind_of(type_) not in ("number", "boolean", "category"):
            what = f"a window holds numbers, booleans or texts, and the values of '{name}' are of type {type_}."
            faults.append(spec.fault(f"series.windows.{name}", what))
    taken = [name for name in said.made if name in names]
    return faults + [
        spec.fault("series", f"it makes the column '{name}', and the table has one of that name.") for name in taken
    ]


def labels_within(spec: TableSpec, labels: Labels, made: Chains, parts: np.ndarray) -> Labels:
    """The labels without those that a row would get from a row of another part: nothing of a test row is learned from.

    parts: uint8 [rows], see splits.
    """
    assert spec.series is not None
    gone = np.zeros((len(parts), len(labels.spec.columns)), bool)
    for place, column in enumerate(labels.spec.columns):
        if column in spec.series.shifted:
            later = made.shifted(spec.series.shifted[column][1])
            gone[:, place] = (later < 0) | (parts[later] != parts)
    return labels_without(labels, gone) if gone.any() else labels
