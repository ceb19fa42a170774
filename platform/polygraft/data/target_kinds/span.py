"""Standard answer span (Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250, section 3): the first and the last item of a stretch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from polygraft.data.columns import UnfitError, as_floats
from polygraft.data.spec import TargetSpec
from polygraft.data.target import Labels, Target
from polygraft.data.target_kinds.base import TargetKind


class Span(TargetKind):
    """The places of a first and of a last item, counted from 0, int64 [rows, 2]; present when both are."""

    columns = (2, 2)

    def read(self, spec: TargetSpec, columns: Sequence[pa.ChunkedArray]) -> Labels:
        return Labels(spec, *self._places(spec.columns, columns))

    def encode(self, target: Target, columns: Sequence[pa.ChunkedArray]) -> tuple[np.ndarray, np.ndarray]:
        return self._places(target.columns, columns)

    def facts(self, labels: Labels, rows: np.ndarray, weights: np.ndarray) -> Target:
        spec, last = labels.spec, int(labels.array[rows, 1].max(initial=-1))
        return Target(spec.task, spec.columns, spec.kind, labelled=len(rows), longest=last + 1)

    def _places(self, names: Sequence[str], columns: Sequence[pa.ChunkedArray]) -> tuple[np.ndarray, np.ndarray]:
        numbers = np.stack([as_floats(column) for column in columns], 1)
        present = ~np.isnan(numbers).any(1)
        places = np.where(present[:, None], numbers, 0.0)
        fits = (places >= 0) & (places == np.floor(places)) & (places < 2**31)
        for name, column, fit in zip(names, places.T, fits.T, strict=True):
            if len(bad := np.flatnonzero(~fit)):
                raise UnfitError(
                    f"'{name}' is {column[bad[0]]:g} in row {bad[0] + 1:,}; a place is a whole number from 0."
                )
        if len(bad := np.flatnonzero(places[:, 0] > places[:, 1])):
            first, last = places[bad[0]].astype(int)
            raise UnfitError(f"the span of row {bad[0] + 1:,} begins at {first} and ends at {last}, before it begins.")
        return places.astype(np.int64), present
