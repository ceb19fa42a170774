"""Standard deletion of rows with outlying values, by the median absolute deviation (Leys et al. 2013, https://doi.org/10.1016/j.jesp.2013.03.013) or by quantiles."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pyarrow as pa

from polygraft.core.catalogue import Range
from polygraft.core.errors import nearest
from polygraft.data.cleaning.base import RowChange, RowStep
from polygraft.data.training_rows import TrainingRows

_NORMAL = 1.4826  # the median absolute deviation of a normal variable, times this, is its standard deviation


class OutlyingRows(RowStep):
    """Drop each training row with a number far outside of the others': for values that are errors, not extremes.

    `outliers` clips instead, and clips at prediction, too; a row to predict cannot be dropped, so this is a step of its own.
    A missing value lies nowhere. Bounds are found among the known values of the training rows that earlier steps kept.
    columns: the features that are looked at; absent, every number.
    method: `mad`: so many robust standard deviations (1.4826 times the median absolute deviation) from the median; a column
        whose deviation is 0 is left alone. Or `quantile`, which drops that share of the rows of EVERY column.
    deviations: of `mad`, how far a value may lie from the median.
    low: of `quantile`, the share of values that the lower bound lies above.
    high: of `quantile`, the share of values that the upper bound lies above.
    """

    def __init__(
        self,
        columns: list[str] | None = None,
        method: Literal["mad", "quantile"] = "mad",
        deviations: Annotated[float, Range(above=0)] = 10.0,
        low: Annotated[float, Range(min=0, max=0.5)] = 0.001,
        high: Annotated[float, Range(min=0.5, max=1)] = 0.999,
    ) -> None:
        self.columns, self.method, self.deviations, self.low, self.high = columns, method, deviations, low, high

    def change(self, rows: TrainingRows) -> RowChange:
        numbers = [name for name, column in rows.columns.items() if _is_number(column.type)]
        for name in self.columns or ():
            if name not in numbers:
                has = f"{nearest(name, numbers)} There are {', '.join(numbers) or 'none'}."
                raise rows.error("columns", f"no number among the features is called '{name}'.{has}")
        far = np.zeros(len(rows), bool)
        for name in self.columns or numbers:
            values = np.asarray(rows.columns[name].filter(rows.mask).cast(pa.float64()).to_numpy())
            low, high = self.bounds(values[~np.isnan(values)])
            far |= (values < low) | (values > high)
        return RowChange((~far).astype(np.float32))

    def bounds(self, known: np.ndarray) -> tuple[float, float]:
        """Between which values, float64 without NaN, a row stays."""
        if not len(known):
            return -np.inf, np.inf
        if self.method == "quantile":
            return float(np.quantile(known, self.low)), float(np.quantile(known, self.high))
        middle = np.median(known)
        reach = self.deviations * _NORMAL * np.median(np.abs(known - middle))
        return (float(middle - reach), float(middle + reach)) if reach > 0 else (-np.inf, np.inf)


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))
