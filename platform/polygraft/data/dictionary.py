"""A column of texts as whole numbers under one dictionary, in the order of their first appearance."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

_ROWS = 131_072  # that a thread takes at least: tables of fewer rows cost more to merge than they save


def dictionary_of(column: pa.ChunkedArray) -> tuple[list[pa.Array], pa.Array]:
    """(the number of each row, int32, as many chunks as the column's; the texts by number) of a string or large_string column.

    Each thread numbers a stretch of rows in a table of its own. These are merged in the rows' order, so that numbers depend
    on the rows alone.
    """
    from polygraft.data.kernels.dictionary import Numbers
    from polygraft.data.kernels.numbered import renumber
    from polygraft.data.kernels.threads import each, threads

    rows = len(column)
    held = np.empty(8 + rows, np.int32)  # see _numbers_of
    blocks = max(1, min(threads(), rows // _ROWS))
    borders = [rows * block // blocks for block in range(blocks + 1)]

    def number(block: int) -> Numbers:
        found, row = Numbers(), borders[block]
        for chunk in column.slice(row, borders[block + 1] - row).chunks:
            found.add(chunk, row, held[8 + row : 8 + row + len(chunk)])
            row += len(chunk)
        return found

    whole, *others = each(number, range(blocks))
    changed = [whole.merge(other) for other in others]

    def change(block: int) -> None:
        renumber(changed[block - 1], held[8 + borders[block] : 8 + borders[block + 1]])

    each(change, [block for block in range(1, blocks) if len(changed[block - 1])])
    starts = np.cumsum([0, *map(len, column.chunks)])
    numbers = [_numbers_of(chunk, held, int(start)) for chunk, start in zip(column.chunks, starts[:-1], strict=True)]
    return numbers, _taken(column, whole.rows, starts)


def _numbers_of(chunk: pa.Array, held: np.ndarray, start: int) -> pa.Array:
    """The chunk's numbers, null where it is null. Its bitmap is not copied: the array begins up to 7 rows earlier, as it does."""
    validity = chunk.buffers()[0] if chunk.null_count else None
    before = chunk.offset & 7 if validity is not None else 0
    buffers = [validity and validity.slice(chunk.offset >> 3), pa.py_buffer(held[8 + start - before :])]
    return pa.Array.from_buffers(pa.int32(), len(chunk), buffers, chunk.null_count, before)


def _taken(column: pa.ChunkedArray, rows: np.ndarray, starts: np.ndarray) -> pa.Array:
    """The texts of ascending rows, chunk by chunk: Arrow would write the whole column out as one chunk first."""
    cuts = np.searchsorted(rows, starts)
    parts = [
        chunk.take(pa.array(rows[first:last] - start))
        for chunk, start, first, last in zip(column.chunks, starts, cuts, cuts[1:], strict=False)
        if last > first
    ]
    return pa.concat_arrays(parts) if parts else pa.array([], column.type)
