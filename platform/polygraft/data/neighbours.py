"""Neighbours: training rows that are kept, so that a missing number can be the mean of those of the rows most like its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from safetensors.numpy import load_file, save_file

from polygraft.data.plans import NumberPlan
from polygraft.data.splits import uniform

FILE = "neighbours.safetensors"
_ROWS = 4096  # that a thread takes at a time


@dataclass(frozen=True)
class Neighbours:
    """values: float32 [references, n], encoded; known: bool [references, n]; counts: int64 [n], of how many rows a missing value is the mean, 0: of none."""

    values: np.ndarray
    known: np.ndarray
    counts: np.ndarray

    def fill(self, numbers: np.ndarray, missing: np.ndarray) -> None:
        """Put into `numbers` (float32 [rows, n or more]) what is missing (bool [rows, n]), in place.

        A row's values depend on the row and on the references alone. Where no reference shares a known column with it, or none
        knows the column, it keeps what it has.
        """
        from polygraft.data.kernels.nearest import fill_nearest
        from polygraft.data.kernels.threads import each

        rows = np.flatnonzero((missing & (self.counts > 0)).any(1))
        by_column = np.ascontiguousarray(np.where(self.known, self.values, np.float32(np.nan)).T)

        def work(first: int) -> None:
            fill_nearest(numbers, missing, rows[first : first + _ROWS], by_column, self.counts)

        each(work, range(0, len(rows), _ROWS))

    def save(self, folder: Path) -> None:
        """Write it into `folder`."""
        save_file({"values": self.values, "known": self.known, "counts": self.counts}, folder / FILE)

    @staticmethod
    def load(folder: Path) -> Neighbours | None:
        """What `save` wrote there; None where nothing is."""
        return Neighbours(**load_file(folder / FILE)) if (folder / FILE).is_file() else None


def references(
    plans: Sequence[NumberPlan], numbers: np.ndarray, missing: np.ndarray, training: np.ndarray, seed: int
) -> Neighbours | None:
    """The rows that are kept of the training rows (int64): drawn by their numbers, in their order; None where no plan asks for any.

    numbers: float32 [all rows, n or more], encoded; missing: bool [all rows, n].
    """
    counts = np.array([plan.nearest for plan in plans], np.int64)
    if not counts.any():
        return None
    wanted = max(plan.references for plan in plans)
    kept = training
    if wanted < len(training):
        chance = uniform(seed, training.astype(np.uint64))
        kept = training[np.sort(np.argpartition(chance, wanted)[:wanted])]
    return Neighbours(np.ascontiguousarray(numbers[kept, : len(plans)]), ~missing[kept], counts)


def missing_in(columns: Sequence[pa.ChunkedArray], rows: int) -> np.ndarray:
    """bool [rows, n]: which values are null or NaN."""
    found = np.zeros((rows, len(columns)), np.bool_)
    for j, column in enumerate(columns):
        if column.null_count or pa.types.is_floating(column.type):
            found[:, j] = np.asarray(pc.is_null(column, nan_is_null=True))
    return found
