"""Standard screening of columns with one value (as VarianceThreshold of scikit-learn, with threshold 0)."""

from __future__ import annotations

from collections.abc import Iterable

from polygraft.data.quality.base import Check, Finding
from polygraft.data.survey import Survey


class Constants(Check):
    """Features with at most one known value that are never missing, or never known."""

    def look(self, seen: Survey) -> Iterable[Finding]:
        for name in seen.features:
            column = seen.columns[name]
            if column.levels is None or len(column.levels) > 1 or 0 < column.missing < column.rows or not column.rows:
                continue
            words = f"every value of {name} is {next(iter(column.levels), 'missing')!r}"
            yield Finding("constants", "warning", f"columns.{name}", column.rows, "rows", words, f"drop: [{name}]")
