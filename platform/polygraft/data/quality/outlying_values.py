"""Values far outside the quartiles, Tukey's far-out values (Tukey 1977, Exploratory Data Analysis, section 2D)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from polygraft.data.quality.base import Check, Finding, Severity
from polygraft.data.survey import Survey

REACH, LEAST = 10.0, 3


class OutlyingValues(Check):
    """Numbers more than ten interquartile ranges outside the quartiles of the sample, and infinite ones.

    A column whose quartiles are equal is left alone: it has no scale. Tukey takes three; long tails are no dirt.
    """

    def look(self, seen: Survey) -> Iterable[Finding]:
        treated = "outliers" in [name for name, _ in seen.spec.clean]
        for name in seen.features:
            column = seen.columns[name]
            if column.moments is None:
                continue
            if column.infinite:
                words = f"{column.infinite:,} values of {name} are infinite"
                yield Finding("outlying_values", "serious", f"columns.{name}", column.infinite, "rows", words)
            values = seen.numbers(name)
            values = values[np.isfinite(values)]
            low, high = np.quantile(values, (0.25, 0.75)) if len(values) else (0.0, 0.0)
            far = int(((values < low - REACH * (high - low)) | (values > high + REACH * (high - low))).sum())
            if high > low and far >= LEAST:
                words = f"{far:,} of {len(values):,} sampled values of {name} lie far outside [{low:.4g}, {high:.4g}]"
                severe: Severity = "note" if treated else "warning"
                mend = "" if treated else "clean: [{name: outliers}]"
                yield Finding("outlying_values", severe, f"columns.{name}", far / len(values), "of sample", words, mend)
