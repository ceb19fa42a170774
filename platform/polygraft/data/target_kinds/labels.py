"""Standard multi-label target (Tsoumakas and Katakis 2007, https://doi.org/10.4018/jdwm.2007070101): any of several labels, a column each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from polygraft.data.label_values import values_of
from polygraft.data.spec import TargetSpec
from polygraft.data.target import Labels as AllLabels
from polygraft.data.target import Target
from polygraft.data.target_kinds.base import Counted


class Labels(Counted):
    """Any of several labels, a column each, 0 or 1, float32 [rows, columns]; a row is present when it has all of them."""

    columns = (2, None)

    def read(self, spec: TargetSpec, columns: Sequence[pa.ChunkedArray]) -> AllLabels:
        return AllLabels(spec, *values_of("labels", list(columns)), spec.columns)

    def encode(self, target: Target, columns: Sequence[pa.ChunkedArray]) -> tuple[np.ndarray, np.ndarray]:
        return values_of("labels", list(columns))

    def counts(self, labels: AllLabels, rows: np.ndarray) -> np.ndarray:
        return labels.array[rows].sum(0, dtype=np.int64)
