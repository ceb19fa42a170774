"""Rows of different lengths as stretches of one array, which may overlap; they are padded when a batch is drawn, never in the cache."""

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
    """values: int32 [total] or float32 [total, channels]; starts, lengths: int64 [rows], where each row begins, and how long it is."""

    values: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    @staticmethod
    def end_to_end(values: np.ndarray, lengths: np.ndarray) -> Ragged:
        """Rows of these lengths, one behind the other."""
        return Ragged(values, np.cumsum(lengths, dtype=np.int64) - lengths, lengths)

    def __len__(self) -> int:
        return len(self.starts)

    def row(self, number: int) -> np.ndarray:
        """One row's values, a view."""
        return self.values[self.starts[number] : self.starts[number] + self.lengths[number]]

    def of(self, rows: np.ndarray) -> Ragged:
        """These rows (int64) alone, of the same array."""
        return Ragged(self.values, self.starts[rows], self.lengths[rows])

    def reads(self, rows: np.ndarray) -> np.ndarray:
        """bool [total]: the values that any of these rows (int64) holds."""
        edges = np.zeros(len(self.values) + 1, np.int64)
        np.add.at(edges, self.starts[rows], 1)
        np.subtract.at(edges, self.starts[rows] + self.lengths[rows], 1)
        return edges.cumsum()[:-1] > 0

    def holding(self, marked: np.ndarray) -> np.ndarray:
        """bool [rows]: whether a row holds any of the marked values (bool [total])."""
        before = np.concatenate([[0], np.cumsum(marked)])
        return before[self.starts + self.lengths] > before[self.starts]

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """These rows (int64) as ([rows, length, ...], bool [rows, length]): what is beyond a row's own length is 0.

        length: of the longest of them, up to a multiple of STEP. It is a function of these rows alone, so whoever draws a
        shard draws the same bits, however many other shards it draws, and on however many workers.
        """
        from polygraft.data.kernels.gather import gather_ragged

        longest = int(self.lengths[rows].max(initial=1))
        length = -(-longest // STEP) * STEP
        out = np.zeros((len(rows), length, *self.values.shape[1:]), self.values.dtype)
        mask = np.zeros((len(rows), length), np.bool_)
        width = math.prod(self.values.shape[1:])
        words, places = (
            each.view(np.uint32).reshape(*shape, width) for each, shape in ((self.values, (-1,)), (out, mask.shape))
        )
        gather_ragged(words, self.starts, self.lengths, rows, places, mask)
        return out, mask


PADDING, UNKNOWN, FIRST_CODE = 0, 1, 2
"""Of tokens: what fills a row up, what training did not know, and where known ones begin."""


Encoded = np.ndarray | Ragged | Images
"""One input of all rows: of one shape, of different lengths, or images."""


def shortened(rows: Ragged, longest: int) -> Ragged:
    """Every row without what is beyond its first `longest` values, which nobody holds any more."""
    lengths = np.minimum(rows.lengths, longest)
    short = Ragged(rows.values, rows.starts, lengths)
    kept = short.reads(np.arange(len(rows)))
    if kept.all():
        return short
    places = np.concatenate([[0], kept.cumsum()])
    return Ragged(rows.values[kept], places[rows.starts], lengths)


def dense_labels(values: np.ndarray | Ragged) -> np.ndarray:
    """A task's labels of all rows as one array, [rows, ...]: shorter ones have zeros behind them."""
    return values.padded(np.arange(len(values)))[0] if isinstance(values, Ragged) else values


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
