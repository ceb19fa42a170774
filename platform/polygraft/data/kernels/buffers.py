"""Arrow's buffers as numpy arrays: views of the values and of the validity bitmap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

KINDS = {"float64": 0, "float32": 1, "int64": 2, "int32": 3, "bool": 4}
"""What kernels read in place, by number; a boolean column is bits, least significant first."""


def readable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column itself when kernels read its type, else as float64: each type more takes a second more to compile."""
    return column if _name(column.type) in KINDS else column.cast(pa.float64(), safe=False)


def kind(column: pa.ChunkedArray) -> int:
    """The number of a readable column's type."""
    return KINDS[_name(column.type)]


def addresses(array: pa.Array) -> tuple[int, int, int]:
    """Where an array's values are, where its validity bitmap is (0: all are valid), and its offset in both."""
    validity, values = array.buffers()
    return values.address, validity.address if validity is not None else 0, array.offset


@dataclass(frozen=True)
class Buffers:
    """One readable Arrow array, but of booleans, as numpy arrays; nothing is copied.

    values: [offset + rows], the value buffer up to the array's last row; what stands where the validity bit is 0 means nothing.
    validity: uint8 bitmap, bit `offset + i` is row i's, least significant first; empty when every row is valid.
    """

    values: np.ndarray
    validity: np.ndarray
    offset: int
    rows: int


def buffers(array: pa.Array) -> Buffers:
    """The views of an array's memory."""
    offset, rows, dtype = array.offset, len(array), np.dtype(_name(array.type))
    nothing = np.zeros(0, np.uint8)
    if rows == 0:  # its buffers may be absent
        return Buffers(np.zeros(0, dtype), nothing, 0, 0)
    validity, values = array.buffers()
    bitmap = np.frombuffer(validity, np.uint8) if validity is not None and array.null_count else nothing
    return Buffers(np.frombuffer(values, dtype, offset + rows), bitmap, offset, rows)


def _name(type_: pa.DataType) -> str:
    """numpy's name of a fixed-width type."""
    return f"int{type_.bit_width}" if pa.types.is_temporal(type_) else np.dtype(type_.to_pandas_dtype()).name
