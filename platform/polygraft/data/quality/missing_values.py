"""Standard rate of missing values, alone and jointly (Little and Rubin, Statistical Analysis with Missing Data, section 1.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from polygraft.data.quality.base import Check, Finding, Severity
from polygraft.data.survey import Survey

MOST = 0.5


class MissingValues(Check):
    """Columns with missing values, and columns that miss as many, in the very same rows of the sample."""

    def look(self, seen: Survey) -> Iterable[Finding]:
        steps = [name for name, _ in seen.spec.clean]
        alike: dict[tuple[int, bytes], list[str]] = defaultdict(list)
        for name in seen.features:
            column = seen.columns[name]
            if not column.missing:
                continue
            share = column.missing / column.rows
            severe: Severity = "warning" if share > MOST or "missing" not in steps else "note"
            mend = f"drop: [{name}]" if share > MOST else "" if "missing" in steps else "clean: [{name: missing}]"
            words = f"{column.missing:,} of {column.rows:,} values of {name} are missing"
            yield Finding("missing_values", severe, f"columns.{name}", share, "of rows", words, mend)
            gaps = np.asarray(seen.sample.column(name).is_null(nan_is_null=True))
            if gaps.any():
                alike[column.missing, np.packbits(gaps).tobytes()].append(name)
        for names in alike.values():
            if len(names) > 1:
                words = f"missing in the same rows: {', '.join(names)}"
                yield Finding("missing_values", "note", f"columns.{names[0]}", len(names), "columns", words)
