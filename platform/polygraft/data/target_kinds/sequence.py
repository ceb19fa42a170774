"""Standard sequence of symbols (Sutskever, Vinyals and Le 2014, https://arxiv.org/abs/1409.3215, section 2): tags, phonemes, words, as many as there are."""

from __future__ import annotations

from collections.abc import Sequence as Several

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polygraft.data.arrow_types import is_list, is_text
from polygraft.data.columns import UnfitError, as_list, as_text
from polygraft.data.label_values import natural_order
from polygraft.data.ragged import FIRST_CODE, UNKNOWN, Ragged
from polygraft.data.spec import TargetSpec
from polygraft.data.target import Labels, Target
from polygraft.data.target_kinds.base import TargetKind


class Sequence(TargetKind):
    """As many items as a row has, int32 [rows, length].

    0 is beyond a row's own items, 1 an item that training did not know, then come `levels` in their order, from 2 on. The column holds lists of texts, numbers or booleans; or texts, which are cut at spaces. A missing item is unknown.
    """

    def read(self, spec: TargetSpec, columns: Several[pa.ChunkedArray]) -> Labels:
        """The levels are those of all rows; `facts` says how often training rows show each."""
        items, lengths, present = _items(columns[0])
        levels = natural_order(pc.unique(items).to_pylist(), _raw(columns[0]))
        if not levels:
            raise UnfitError(f"no list of '{spec.columns[0]}' holds an item.")
        return Labels(spec, Ragged.end_to_end(_codes(items, levels), lengths), present, levels)

    def encode(self, target: Target, columns: Several[pa.ChunkedArray]) -> tuple[Ragged, np.ndarray]:
        items, lengths, present = _items(columns[0])
        return Ragged.end_to_end(_codes(items, target.levels), lengths), present

    def facts(self, labels: Labels, rows: np.ndarray, weights: np.ndarray) -> Target:
        """An item that no training row holds keeps its code, and a count of 0."""
        seen = labels.ragged.values[labels.ragged.reads(rows)]
        counts = np.bincount(seen, minlength=len(labels.levels) + FIRST_CODE)[FIRST_CODE:]
        spec, longest = labels.spec, int(labels.ragged.lengths[rows].max(initial=0))
        return Target(
            spec.task, spec.columns, spec.kind, labels.levels, tuple(counts.tolist()), len(rows), longest=longest
        )


def _raw(column: pa.ChunkedArray) -> pa.DataType:
    return column.type.value_type if is_list(column.type) else column.type


def _items(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, np.ndarray, np.ndarray]:
    """(all items as texts, one behind the other; int64 [rows], how many a row has; bool [rows], whether it has a label)."""
    if is_text(column.type):
        column = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(as_text(column)))
        # Of an empty text Arrow makes a list of one empty text.
        column = pa.chunked_array([_without_empty(chunk) for chunk in column.chunks], pa.list_(pa.large_string()))
    if not is_list(column.type):
        raise UnfitError(f"values of type {column.type} are no sequences: these are lists, or texts cut at spaces.")
    lists = as_list(column)
    lists = lists.cast(pa.large_list(lists.type.value_type))
    present = np.asarray(lists.is_valid())
    lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0), np.int64)
    return pc.list_flatten(lists).cast(pa.string()), lengths, present


def _without_empty(chunk: pa.Array) -> pa.Array:
    only = pc.and_(pc.equal(pc.list_value_length(chunk), 1), pc.equal(pc.list_element(chunk, 0), ""))
    return pc.if_else(only, pa.scalar([], chunk.type), chunk)


def _codes(items: pa.ChunkedArray, levels: Several[str]) -> np.ndarray:
    """int32 [items]."""
    places = pc.index_in(items, pa.array(levels, pa.string()))
    return np.asarray(pc.fill_null(pc.add(places, FIRST_CODE), UNKNOWN), np.int32)
