"""Standard interval scale (Stevens 1946, https://doi.org/10.1126/science.103.2684.677): one number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from polygraft.data.columns import UnfitError
from polygraft.data.label_values import values_of
from polygraft.data.spec import TargetSpec
from polygraft.data.target import Labels, Target
from polygraft.data.target_kinds.base import TargetKind


class Number(TargetKind):
    """One number in its own unit, float32 [rows]."""

    streams = True

    def read(self, spec: TargetSpec, columns: Sequence[pa.ChunkedArray]) -> Labels:
        values, present = values_of("number", list(columns))
        if count := int(np.isinf(values).sum()):
            raise UnfitError(f"{count:,} labels of '{spec.columns[0]}' are infinite. Make them null.")
        return Labels(spec, values, present)

    def encode(self, target: Target, columns: Sequence[pa.ChunkedArray]) -> tuple[np.ndarray, np.ndarray]:
        return values_of("number", list(columns))

    def facts(self, labels: Labels, rows: np.ndarray, weights: np.ndarray) -> Target:
        spec, mean, std = labels.spec, 0.0, 0.0
        if weights.sum() > 0:
            values = labels.array[rows]
            mean = float(np.average(values, weights=weights))
            std = float(np.sqrt(np.average((values.astype(np.float64) - mean) ** 2, weights=weights)))
        return Target(spec.task, spec.columns, spec.kind, labelled=len(rows), mean=mean, std=std or 1.0)
