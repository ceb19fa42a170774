"""Standard nominal scale (Stevens 1946, https://doi.org/10.1126/science.103.2684.677): one class of several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polygraft.data.columns import UnfitError
from polygraft.data.label_values import category_of, codes_of, natural_order
from polygraft.data.spec import TargetSpec
from polygraft.data.target import Labels, Target
from polygraft.data.target_kinds.base import Counted


class Category(Counted):
    """One class of several: its place in `levels`, int64 [rows]."""

    def read(self, spec: TargetSpec, columns: Sequence[pa.ChunkedArray]) -> Labels:
        column = category_of(columns[0])
        levels = natural_order(pc.unique(column.cast(pa.string())).to_pylist(), columns[0].type)
        if len(levels) == 1:
            raise UnfitError(f"every label is '{levels[0]}'; there is nothing to learn.")
        return Labels(spec, *codes_of(column, levels), levels)

    def encode(self, target: Target, columns: Sequence[pa.ChunkedArray]) -> tuple[np.ndarray, np.ndarray]:
        return codes_of(category_of(columns[0]), target.levels)

    def counts(self, labels: Labels, rows: np.ndarray) -> np.ndarray:
        return np.bincount(labels.array[rows], minlength=len(labels.levels))
