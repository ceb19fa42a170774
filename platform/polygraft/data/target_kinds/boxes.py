"""Standard objects of a picture (Everingham et al. 2010, https://doi.org/10.1007/s11263-009-0275-4): a class and a box each, as many as there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polygraft.data.arrow_types import is_list
from polygraft.data.columns import UnfitError, as_list
from polygraft.data.label_values import natural_order
from polygraft.data.ragged import Ragged
from polygraft.data.spec import TargetSpec
from polygraft.data.target import Labels, Target
from polygraft.data.target_kinds.base import TargetKind


class Boxes(TargetKind):
    """A class and a box for each object of a picture, float32 [rows, objects, 5].

    An object is its class, counted from 1 (0 is beyond a picture's own objects, or a class that training did not know), then left,
    top, right and bottom in pixels. The first column holds lists of numbers, four an object; the second lists of as many classes. A picture without objects has an
    empty list, and is a label as any other.
    """

    columns = (2, 2)

    def read(self, spec: TargetSpec, columns: Sequence[pa.ChunkedArray]) -> Labels:
        corners, classes, lengths, present = _objects(spec.columns, columns)
        levels = natural_order(pc.unique(classes).to_pylist(), columns[1].type.value_type)
        if not levels:
            raise UnfitError(f"no picture of '{spec.columns[0]}' holds an object.")
        return Labels(spec, _ragged(corners, classes, lengths, levels), present, levels)

    def encode(self, target: Target, columns: Sequence[pa.ChunkedArray]) -> tuple[Ragged, np.ndarray]:
        corners, classes, lengths, present = _objects(target.columns, columns)
        return _ragged(corners, classes, lengths, target.levels), present

    def facts(self, labels: Labels, rows: np.ndarray, weights: np.ndarray) -> Target:
        seen = labels.ragged.values[labels.ragged.reads(rows), 0].astype(np.int64)
        counts = np.bincount(seen, minlength=len(labels.levels) + 1)[1:]
        spec, longest = labels.spec, int(labels.ragged.lengths[rows].max(initial=0))
        return Target(
            spec.task, spec.columns, spec.kind, labels.levels, tuple(counts.tolist()), len(rows), longest=longest
        )


def _objects(
    names: Sequence[str], columns: Sequence[pa.ChunkedArray]
) -> tuple[np.ndarray, pa.ChunkedArray, np.ndarray, np.ndarray]:
    """(float32 [objects, 4]; their classes as texts; int64 [rows], how many a row has; bool [rows], whether it has a label)."""
    for name, column in zip(names, columns, strict=True):
        if not is_list(column.type):
            raise UnfitError(f"'{name}' holds values of type {column.type}; boxes and their classes are lists.")
    flat = as_list(_flat(columns[0]))
    classes = as_list(columns[1])
    if not (pa.types.is_floating(flat.type.value_type) or pa.types.is_integer(flat.type.value_type)):
        raise UnfitError(f"'{names[0]}' holds lists of {flat.type.value_type}; a box is four numbers.")
    present = np.asarray(flat.is_valid()) & np.asarray(classes.is_valid())
    sizes, lengths = (np.asarray(pc.fill_null(pc.list_value_length(each), 0), np.int64) for each in (flat, classes))
    if len(bad := np.flatnonzero(present & (sizes != 4 * lengths))):
        row = bad[0]
        raise UnfitError(
            f"row {row + 1:,} has {sizes[row]:,} numbers in '{names[0]}' and {lengths[row]:,} classes in '{names[1]}'; "
            "a box is four numbers, left, top, right and bottom, and has one class."
        )
    shown = pa.array(present)
    corners = np.asarray(pc.list_flatten(flat.filter(shown)).cast(pa.float64()).fill_null(np.nan)).reshape(-1, 4)
    lengths = np.where(present, lengths, 0)
    _check(corners, np.repeat(np.arange(len(lengths)), lengths), names[0])
    return corners.astype(np.float32), pc.list_flatten(classes.filter(shown)).cast(pa.string()), lengths, present


def _flat(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lists of boxes of four numbers each, as lists of all their numbers."""
    inner = column.type.value_type
    if not is_list(inner):
        return column
    chunks = []
    for chunk in column.chunks:
        sizes = np.asarray(pc.fill_null(pc.list_value_length(chunk), 0), np.int64)
        boxes = pc.list_flatten(chunk)
        numbers = np.asarray(pc.fill_null(pc.list_value_length(boxes), 0), np.int64)
        ends = np.concatenate([[0], numbers.cumsum()])[np.concatenate([[0], sizes.cumsum()])]
        mask = chunk.is_null() if chunk.null_count else None
        chunks.append(pa.LargeListArray.from_arrays(pa.array(ends), pc.list_flatten(boxes), mask=mask))
    return pa.chunked_array(chunks, chunks[0].type if chunks else pa.large_list(pa.float64()))


def _check(corners: np.ndarray, rows: np.ndarray, name: str) -> None:
    """Raise UnfitError for a box that is none."""
    for words, bad in (
        ("holds a number that is none, or is infinite", ~np.isfinite(corners).all(1)),
        ("has no area", (corners[:, 2] <= corners[:, 0]) | (corners[:, 3] <= corners[:, 1])),
    ):
        if len(found := np.flatnonzero(bad)):
            box = ", ".join(f"{each:g}" for each in corners[found[0]])
            more = f" ({len(found):,} boxes of {len(corners):,} are such)" if len(found) > 1 else ""
            raise UnfitError(f"a box of '{name}' in row {rows[found[0]] + 1:,}, {box}, {words}{more}.")


def _ragged(corners: np.ndarray, classes: pa.ChunkedArray, lengths: np.ndarray, levels: Sequence[str]) -> Ragged:
    places = pc.index_in(classes, pa.array(levels, pa.string()))
    codes = np.asarray(pc.fill_null(pc.add(places, 1), 0), np.float32)
    return Ragged.end_to_end(np.concatenate([codes[:, None], corners], 1, dtype=np.float32), lengths)
