"""Rows of different lengths, end to end in one array; they are padded when a batch is drawn, never in the cache."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from polygraft.core.batch import mask_name
from polygraft.data.images import Images

STEP = 8
"""Padded lengths are multiples of this: few distinct shapes, and none that depends on more than the rows."""


@dataclass(frozen=True)
class Ragged:
    """values: int32 [total] or float32 [total, channels]; offsets: int64 [rows + 1], where each row begins, and the end."""

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """int64 [rows]."""
        return np.diff(self.offsets)

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """These rows (int64) as ([rows, length, ...], bool [rows, length]): what is beyond a row's own length is 0.

        length: of the longest of them, up to a multiple of STEP. It is a function of these rows alone, so whoever draws a
        shard draws the same bits, however many other shards it draws, and on however many workers.
        """
        from polygraft.data.kernels.gather import gather_ragged

        longest = int((self.offsets[rows + 1] - self.offsets[rows]).max(initial=1))
        length = -(-longest // STEP) * STEP
        out = np.zeros((len(rows), length, *self.values.shape[1:]), self.values.dtype)
        mask = np.zeros((len(rows), length), np.bool_)
        width = math.prod(self.values.shape[1:])
        words, places = (
            each.view(np.uint32).reshape(*shape, width) for each, shape in ((self.values, (-1,)), (out, mask.shape))
        )
        gather_ragged(words, self.offsets, rows, places, mask)
        return out, mask


PADDING, UNKNOWN, FIRST_CODE = 0, 1, 2
"""Of tokens: what fills a row up, what training did not know, and where known ones begin."""


Encoded = np.ndarray | Ragged | Images
"""One input of all rows: of one shape, of different lengths, or images."""


def shortened(rows: Ragged, longest: int) -> Ragged:
    """Every row without what is beyond its first `longest` values; itself where none is longer."""
    lengths = np.minimum(rows.lengths, longest)
    offsets = np.cumsum([0, *lengths], dtype=np.int64)
    if offsets[-1] == rows.offsets[-1]:
        return rows
    kept = np.arange(offsets[-1]) + np.repeat(rows.offsets[:-1] - offsets[:-1], lengths)
    return Ragged(rows.values[kept], offsets)


def dense(inputs: Mapping[str, Encoded], rows: np.ndarray) -> dict[str, np.ndarray]:
    """These rows of each input, as a batch holds them, with their masks."""
    found: dict[str, np.ndarray] = {}
    for name, array in inputs.items():
        if isinstance(array, Ragged):
            found[name], found[mask_name(name)] = array.padded(rows)
        elif isinstance(array, Images):
            found[name] = array.still(rows)
        else:
            found[name] = array[rows]
    return found
