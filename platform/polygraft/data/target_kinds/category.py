"""Standard nominal scale (Stevens 1946, https://doi.org/10.1126/science.103.2684.677): one class of several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polygraft.data.columns import UnfitError
from polygraft.data.label_values import category_of, codes_of, natural_order, part_faults
from polygraft.data.spec import TargetSpec
from polygraft.data.target import Labels, Target
from polygraft.data.target_kinds.base import TargetKind


class Category(TargetKind):
    """One class of several: its place in `levels`, int64 [rows]."""

    streams = True

    def read(self, spec: TargetSpec, columns: Sequence[pa.ChunkedArray]) -> Labels:
        column = category_of(columns[0])
        levels = natural_order(pc.unique(column.cast(pa.string())).to_pylist(), columns[0].type)
        if len(levels) == 1:
            raise UnfitError(f"every label is '{levels[0]}'; there is nothing to learn.")
        return Labels(spec, *codes_of(column, levels), levels)

    def encode(self, target: Target, columns: Sequence[pa.ChunkedArray]) -> tuple[np.ndarray, np.ndarray]:
        return codes_of(category_of(columns[0]), target.levels)

    def facts(self, labels: Labels, rows: np.ndarray, weights: np.ndarray) -> Target:
        spec, counts = labels.spec, self._counts(labels, rows)
        return Target(spec.task, spec.columns, spec.kind, labels.levels, tuple(counts.tolist()), len(rows))

    def lacking(self, labels: Labels, rows: np.ndarray, part: str) -> list[str]:
        """A class of many may well be absent from a small part that is only scored; the training rows must show every one."""
        counts = self._counts(labels, rows)
        return part_faults(labels.spec, labels.levels, part, labelled=len(rows), counts=counts)

    def _counts(self, labels: Labels, rows: np.ndarray) -> np.ndarray:
        return np.bincount(labels.array[rows], minlength=len(labels.levels))
