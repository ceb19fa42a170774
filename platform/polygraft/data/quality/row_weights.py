"""Standard advice that survey weights describe the sample and not the person (Lohr, Sampling: Design and Analysis, section 7.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from polygraft.data.quality.base import Check, Finding
from polygraft.data.survey import Survey

NAMED = re.compile(
    r"(?i)(^|_)(instance|sample|sampling|survey|case|final|row|person|replicate)_?(weight|wt|wgt)s?$|^(fnlwgt|weights?)$"
)


class RowWeights(Check):
    """Positive numbers named as the weight of a row, which is no feature."""

    def look(self, seen: Survey) -> Iterable[Finding]:
        for name, column in seen.columns.items():
            if (
                not NAMED.search(name)
                or column.moments is None
                or not column.moments.low >= 0
                or name == seen.spec.weight
            ):
                continue
            if name in seen.features:
                words = f"{name} reads as the weight of a row: that is no feature"
                yield Finding("row_weights", "warning", f"columns.{name}", 1, "column", words, f"drop: [{name}]")
            else:
                words = f"{name} is a row's weight and no feature, and is not used as one"
                yield Finding("row_weights", "note", f"columns.{name}", 1, "column", words)
