"""Standard ragged features, numbers by their standard scores or levels by a vocabulary, as RaggedTensor of TensorFlow (https://www.tensorflow.org/guide/ragged_tensor)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polygraft.core.batch import Input
from polygraft.core.catalogue import Range
from polygraft.data.columns import UnfitError
from polygraft.data.encoders.own_input import InputEncoder
from polygraft.data.plans import InputPlan
from polygraft.data.ragged import FIRST_CODE, UNKNOWN, Encoded, Ragged, shortened


class List(InputEncoder):
    """A list of numbers becomes a series of one channel, a list of levels becomes tokens; a missing list is an empty one.

    Numbers are standardised over all of the training rows'; a missing one is their mean, 0. Levels have codes: 0 padding,
    1 the unknown and the missing, then those of the training rows in the order of their texts.
    of: `auto` takes texts for levels and all else for numbers.
    length: what every list has, null where they differ; a list of another length is then refused, a missing one is all 0.
    max_length: longer lists lose their end; null is the longest of the training rows.
    max_levels: keep the most frequent ones; the others are unknown.
    """

    takes = ("list",)

    def __init__(
        self,
        of: Literal["auto", "numbers", "levels"] = "auto",
        length: Annotated[int | None, Range(min=1)] = None,
        max_length: Annotated[int | None, Range(min=1)] = None,
        max_levels: Annotated[int | None, Range(min=1)] = None,
    ) -> None:
        self.of, self.length, self.max_length, self.max_levels = of, length, max_length, max_levels

    def fit(self, name: str, column: pa.ChunkedArray, chosen: np.ndarray) -> InputPlan:
        items, rows = _taken_apart(column)
        training = rows.reads(np.flatnonzero(chosen))  # an item of several windows counts once
        state = self._levels(items, training) if self._has_levels(column.type) else _scale(items, training)
        kind, channels = ("tokens", ()) if "levels" in state else ("series", (1,))
        shape = (self.length, *channels)
        if self.length:
            return InputPlan(Input(f"{kind}/{name}", kind, shape, size=_size(state)), state)
        longest = self.max_length or int(rows.lengths[chosen].max(initial=1)) or 1
        return InputPlan(Input(f"{kind}/{name}", kind, shape, longest, _size(state), masked=True), state)

    def apply(self, plan: InputPlan, column: pa.ChunkedArray) -> tuple[Encoded, int]:
        items, rows = _taken_apart(column)
        unknown = 0
        if plan.input.kind == "tokens":
            values, strange = _codes(items, plan.state["levels"])
            unknown = int(rows.holding(strange).sum())
        else:
            values = _standard(items, plan.state, rows)
        rows = replace(rows, values=values)
        if self.length:
            return _even(rows, np.asarray(column.is_valid()), self.length), unknown
        return shortened(rows, plan.input.length), unknown

    def words(self, plan: InputPlan) -> list[str]:
        """The levels."""
        return ["", "?", *plan.state["levels"]] if plan.input.kind == "tokens" else []

    def _has_levels(self, type_: pa.DataType) -> bool:
        return self.of == "levels" or (self.of == "auto" and pa.types.is_large_string(type_.value_type))

    def _levels(self, items: pa.Array, training: np.ndarray) -> dict[str, Any]:
        found = items.filter(pa.array(training)).cast(pa.large_string()).value_counts().to_pylist()
        counts = Counter({each["values"]: each["counts"] for each in found if each["values"] is not None})
        frequent = sorted(counts, key=lambda level: (-counts[level], level))
        return {"levels": sorted(frequent[: self.max_levels])}


def _taken_apart(column: pa.ChunkedArray) -> tuple[pa.Array, Ragged]:
    """(all items, the stretch of them that each list is: the places of items are its values)."""
    lengths = np.asarray(pc.fill_null(pc.list_value_length(column), 0), np.int64)
    if pa.types.is_large_list_view(column.type):
        starts, items, count = [np.empty(0, np.int64)], [], 0
        for chunk in column.chunks:
            starts.append(chunk.offsets.to_numpy() + count)
            items.append(chunk.values)
            count += len(chunk.values)
        stretches = Ragged(np.arange(count), np.concatenate(starts), lengths)
    else:
        items = [chunk.flatten() for chunk in column.chunks]
        stretches = Ragged.end_to_end(np.arange(lengths.sum()), lengths)
    return pa.concat_arrays(items) if items else pa.array([], column.type.value_type), stretches


def _numbers(items: pa.Array) -> np.ndarray:
    """float64, missing as NaN."""
    if pa.types.is_large_string(items.type):
        try:
            items = items.cast(pa.float64())
        except pa.ArrowInvalid:
            raise UnfitError("its lists hold texts, which are no numbers. Take of: levels.") from None
    if pa.types.is_boolean(items.type):
        items = items.cast(pa.uint8())
    return np.asarray(items.cast(pa.float64(), safe=False).fill_null(np.nan))


def _scale(items: pa.Array, training: np.ndarray) -> dict[str, float]:
    values = _numbers(items)[training]
    known = values[~np.isnan(values)]
    if np.isinf(known).any():
        raise UnfitError("a number in one of its lists is infinite. Make it null.")
    mean, deviation = (float(known.mean()), float(known.std())) if len(known) else (0.0, 0.0)
    return {"mean": mean, "scale": deviation if deviation > 1e-12 * abs(mean) else 1.0}


def _standard(items: pa.Array, state: Any, rows: Ragged) -> np.ndarray:
    """float32 [items, 1]. Raises UnfitError for what is infinite, or too large for 32 bits."""
    values = _numbers(items)
    with np.errstate(over="ignore"):
        scaled = np.nan_to_num((values - state["mean"]) / state["scale"], nan=0.0, posinf=np.inf, neginf=-np.inf)
        scaled = scaled.astype(np.float32)
    bad = np.isinf(scaled)
    if bad.any() and (holding := np.flatnonzero(rows.holding(bad))).size:
        row = int(holding[0])
        value = values[rows.row(row)[bad[rows.row(row)]][0]]
        raise UnfitError(f"{value} in the list of row {row + 1:,} is infinite, or too large for 32 bits.")
    return scaled[:, None]


def _codes(items: pa.Array, levels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """int32 [items]; and bool [items], whether it is a level that training did not know."""
    texts = items.cast(pa.large_string())
    places = pc.index_in(texts, pa.array(levels, pa.large_string()), skip_nulls=True)
    codes = np.asarray(places.fill_null(UNKNOWN - FIRST_CODE), np.int32) + FIRST_CODE
    return codes, (codes == UNKNOWN) & np.asarray(texts.is_valid())


def _even(rows: Ragged, valid: np.ndarray, length: int) -> np.ndarray:
    """[rows, length, ...] of lists that all have this length; a missing one is 0."""
    wrong = np.flatnonzero(valid & (rows.lengths != length))
    if len(wrong):
        raise UnfitError(
            f"the list in row {wrong[0] + 1:,} has {rows.lengths[wrong[0]]:,} items, and length is {length}."
        )
    out = np.zeros((len(rows), length, *rows.values.shape[1:]), rows.values.dtype)
    out[valid] = rows.values[rows.starts[valid, None] + np.arange(length)]
    return out


def _size(state: Any) -> int:
    return FIRST_CODE + len(state["levels"]) if "levels" in state else 0
