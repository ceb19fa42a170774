"""A 64-bit hash of each row of some columns: rows that differ in their hash are different; equal ones must be compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa


def row_hashes(columns: Mapping[str, pa.Array], rows: int) -> np.ndarray:
    """uint64 [rows]. Null and 0, and the columns of a row, are told apart; columns of nested types are left out."""
    found = np.zeros(rows, np.uint64)
    for column in columns.values():
        if not pa.types.is_nested(column.type):
            found = found * np.uint64(0x9E3779B97F4A7C15) + _hashed(column)
            found ^= found >> np.uint64(29)
    return found


def _hashed(column: pa.Array) -> np.ndarray:
    type_ = column.type
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        gaps = np.asarray(column.is_null())
        values = column.fill_null(0).to_numpy(zero_copy_only=False) if gaps.any() else column.to_numpy()
        return np.where(gaps, np.uint64(1), pd.util.hash_array(values))
    coded = column if pa.types.is_dictionary(type_) else column.dictionary_encode()
    # Arrow has no text form of some types: what Python says of a level does for these.
    texts = np.array([repr(level) for level in coded.dictionary.to_pylist()] + ["<null>"], dtype=object)
    indices = coded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)
    return pd.util.hash_array(texts, categorize=False)[indices]
