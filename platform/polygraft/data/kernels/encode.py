"""The kernel that applies all plans in one pass: Arrow's buffers in, one row-major float32 matrix out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from polygraft.core.kernel import inner_kernel, kernel
from polygraft.data.kernels.bits import spread_bits
from polygraft.data.kernels.buffers import KINDS, addresses, buffers, kind, readable
from polygraft.data.kernels.threads import each
from polygraft.data.plans import Bend, NumberPlan

_ROWS = 131_072  # that a thread takes at a time
_TILE_ROWS, _TILE_SIZE = (
    2048,
    65_536,
)  # rows of a tile at most, and its entries: it stays in the L2 cache until it is written


def _as_pointer(typing_context, address):  # type: ignore[no-untyped-def]
    """An int64 as a C pointer."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), generate


_pointer: Any = intrinsic(_as_pointer)


@inner_kernel
def _line(values, plan, line, missing, flagged):  # type: ignore[no-untyped-def]
    """line = (clip(values or fill, low, high) - mean) / scale, vectorised; NaN is missing, nulls are mended afterwards."""
    fill, low, high, mean, scale = plan[0], plan[1], plan[2], plan[3], plan[4]
    for i in range(len(values)):
        value = np.float64(values[i])
        value = value if value == value else fill
        value = low if value < low else value
        value = high if value > high else value
        line[i] = (value - mean) / scale
    if flagged:
        for i in range(len(values)):
            missing[i] = values[i] != values[i]


@inner_kernel
def _typed_line(column, start, plan, line, missing, flagged):  # type: ignore[no-untyped-def]
    """`_line` for the type that `code` stands for: one kernel serves all columns and is compiled once."""
    pointer, code, first = _pointer(column[0]), column[1], column[3] + start
    end = first + len(line)
    if code == 0:
        _line(carray(pointer, (end,), np.float64)[first:], plan, line, missing, flagged)
    elif code == 1:
        _line(carray(pointer, (end,), np.float32)[first:], plan, line, missing, flagged)
    elif code == 2:
        _line(carray(pointer, (end,), np.int64)[first:], plan, line, missing, flagged)
    elif code == 3:
        _line(carray(pointer, (end,), np.int32)[first:], plan, line, missing, flagged)
    else:
        words = np.empty((len(line) + 7) >> 3, np.uint64)
        spread_bits(carray(pointer, ((end + 7) >> 3,), np.uint8), first, words)
        _line(words.view(np.uint8)[: len(line)], plan, line, missing, flagged)


@inner_kernel
def _mend(known, filled, line, missing, flagged):  # type: ignore[no-untyped-def]
    """Put `filled` where a row is null; by selection, since no branch could be foreseen."""
    for i in range(len(line)):
        line[i] = line[i] if known[i] else filled
    if flagged:
        for i in range(len(line)):
            missing[i] = missing[i] if known[i] else np.float32(1)


@kernel
def encode(columns, plans, places, out):  # type: ignore[no-untyped-def]
    """Apply each column's plan to the rows of one record batch.

    columns: int64 [n, 4], each column's value address, type code, bitmap address (0: all valid) and offset;
    plans: float64 [n, 5], fill, low, high, mean, scale; places: int64 [n, 2], its column of `out`, and its indicator's or -1;
    out: float32 [rows, width], row-major. A tile of rows is computed column by column in a small matrix of its own, where
    each loop vectorises, and then written row by row: writing columns straight to `out` costs twice as much.
    """
    width = out.shape[1]
    length = max(64, min(_TILE_ROWS, _TILE_SIZE // width) & -64)
    tile = np.zeros((width, length + 16), np.float32)  # 16: so that rows of the tile do not share their cache sets
    flat, reach = tile.reshape(-1), np.uint64(length + 16)
    words = np.empty(length >> 3, np.uint64)
    known = words.view(np.uint8)
    for start in range(0, len(out), length):
        rows = min(length, len(out) - start)
        for j in range(len(columns)):
            first, plan, flagged = columns[j, 3] + start, plans[j], places[j, 1] >= 0
            line, missing = tile[places[j, 0], :rows], tile[places[j, 1], :rows]
            _typed_line(columns[j], start, plan, line, missing, flagged)
            if columns[j, 2] != 0:
                validity = carray(_pointer(columns[j, 2]), ((first + rows + 7) >> 3,), np.uint8)
                spread_bits(validity, first, words[: (rows + 7) >> 3])
                filled = np.float32((min(max(plan[0], plan[1]), plan[2]) - plan[3]) / plan[4])
                _mend(known, filled, line, missing, flagged)
        written, to = out[start : start + rows].reshape(-1), np.uint64(0)
        for i in range(np.uint64(rows)):
            at = np.uint64(i)
            for _ in range(width):
                written[to] = flat[at]
                at += reach
                to += np.uint64(1)


def encode_numbers(
    columns: list[pa.ChunkedArray], plans: list[NumberPlan], rows: int, bends: Sequence[Bend | None] = ()
) -> np.ndarray:
    """float32 [rows, width]: each column as its plan says, then the indicators of those that have one. bends: by column."""
    wide = len(plans) + sum(plan.indicator for plan in plans)
    out = np.empty((rows, wide), np.float32)
    if not plans or not rows:
        return out
    bent = {j: bend for j, bend in enumerate(bends) if bend is not None}
    numbers = np.array([_affine(plan, bent.get(j)) for j, plan in enumerate(plans)])
    places = np.full((len(plans), 2), -1, np.int64)
    places[:, 0] = np.arange(len(plans))
    flagged = [j for j, plan in enumerate(plans) if plan.indicator]
    places[flagged, 1] = len(plans) + np.arange(len(flagged))
    columns = [readable(column) for column in columns]
    table = pa.table(columns, names=[str(j) for j in range(len(columns))])
    batches = table.to_batches(max_chunksize=_ROWS)  # views, cut where any column's chunks end
    starts = np.cumsum([0, *(batch.num_rows for batch in batches)])
    kinds = [kind(column) for column in columns]

    def work(number: int) -> None:
        arrays = batches[number].columns
        curved = {j: _curved(arrays[j], plans[j], bend) for j, bend in bent.items()}
        where = np.array(
            [
                (values, code, bitmap, at)
                for code, (values, bitmap, at) in zip(kinds, map(addresses, arrays), strict=True)
            ]
        )
        for j, values in curved.items():
            where[j] = values.ctypes.data, KINDS["float64"], 0, 0
        encode(where, numbers, places, out[starts[number] : starts[number + 1]])

    each(work, range(len(batches)))
    return out


def _affine(plan: NumberPlan, bend: Bend | None) -> tuple[float, ...]:
    """What the kernel does to a column: all, or what is left to do after its values were bent."""
    if bend is None:
        return plan.fill, plan.low, plan.high, plan.mean, plan.scale
    filled = bend(np.array([plan.clip(plan.fill)], np.float64))
    return float(filled[0]), -np.inf, np.inf, plan.mean, plan.scale


def _curved(array: pa.Array, plan: NumberPlan, bend: Bend) -> np.ndarray:
    """float64 [rows]: clipped and bent; NaN where there is no value."""
    values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return bend(plan.clip(values))


@kernel
def codes(indices, validity, offset, mapping, null_code, out):  # type: ignore[no-untyped-def]
    """out[i] = mapping[indices[i]], or null_code where the row is null. Returns how many known rows became 0, the unknown.

    indices: int32 [offset + rows]; mapping: int32, by the dictionary's place, -1 for a text that means null;
    out: int32 [rows], a column of the encoded matrix (strided).
    """
    unseen = 0
    for i in range(len(out)):
        at = offset + i
        code = null_code
        if len(validity) == 0 or (validity[at >> 3] >> (at & 7)) & 1 == 1:
            mapped = mapping[indices[at]]
            unseen += mapped == 0
            code = mapped if mapped >= 0 else null_code
        out[i] = code
    return unseen


def encode_codes(column: pa.ChunkedArray, mapping: np.ndarray, null_code: int, out: np.ndarray) -> int:
    """Codes of a conformed category column into `out` [rows]; how many rows hold a level that is not known."""
    row = unseen = 0
    for chunk in column.chunks:
        part = buffers(chunk.indices)
        unseen += codes(part.values, part.validity, part.offset, mapping, null_code, out[row : row + part.rows])
        row += part.rows
    return unseen
