"""Standard multi-output target (Borchani et al. 2015, https://doi.org/10.1002/widm.1157): several numbers, such as those of several hours ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from polygraft.data.columns import UnfitError
from polygraft.data.label_values import values_of
from polygraft.data.spec import TargetSpec
from polygraft.data.target import Labels, Target
from polygraft.data.target_kinds.base import TargetKind


class Numbers(TargetKind):
    """Several numbers, each in its own unit, float32 [rows, columns]; NaN where one is missing, present when any is there."""

    columns = (1, None)

    def read(self, spec: TargetSpec, columns: Sequence[pa.ChunkedArray]) -> Labels:
        values, present = self._values(columns)
        for name, column in zip(spec.columns, values.T, strict=True):
            if count := int(np.isinf(column).sum()):
                raise UnfitError(f"{count:,} labels of '{name}' are infinite. Make them null.")
        return Labels(spec, values, present)

    def encode(self, target: Target, columns: Sequence[pa.ChunkedArray]) -> tuple[np.ndarray, np.ndarray]:
        return self._values(columns)

    def facts(self, labels: Labels, rows: np.ndarray, weights: np.ndarray) -> Target:
        found = [_moments(column, weights) for column in labels.array[rows].astype(np.float64).T]
        means, stds = zip(*found, strict=True)
        spec = labels.spec
        return Target(spec.task, spec.columns, spec.kind, labelled=len(rows), means=means, stds=stds)

    def without(self, labels: Labels, gone: np.ndarray) -> Labels:
        """Number by number: a row keeps its near hours where the far ones are of another part."""
        values = np.where(gone, np.float32(np.nan), labels.array)
        return replace(labels, values=values, present=labels.present & ~np.isnan(values).all(1))

    def in_series(self, target: Target, labels: Labels, rows: np.ndarray, earlier: np.ndarray) -> Target:
        """`scales`: the error of who says what was a season earlier, on these rows (Hyndman and Koehler 2006, section 2.4)."""
        among = np.zeros(len(earlier), bool)
        among[rows] = True
        rows = rows[(earlier[rows] >= 0) & among[earlier[rows]]]
        changes = np.abs(labels.array[rows].astype(np.float64) - labels.array[earlier[rows]])
        return replace(target, scales=tuple(_known_mean(column) for column in changes.T))

    def _values(self, columns: Sequence[pa.ChunkedArray]) -> tuple[np.ndarray, np.ndarray]:
        found = [values_of("number", [column]) for column in columns]
        values = np.stack([np.where(present, values, np.float32(np.nan)) for values, present in found], 1)
        return values, ~np.isnan(values).all(1)


def _known_mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else 0.0


def _moments(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the known values [rows]; 0 and 1 without any."""
    known = ~np.isnan(values) & (weights > 0)
    if not known.any():
        return 0.0, 1.0
    mean = np.average(values[known], weights=weights[known])
    return float(mean), float(np.sqrt(np.average((values[known] - mean) ** 2, weights=weights[known]))) or 1.0
