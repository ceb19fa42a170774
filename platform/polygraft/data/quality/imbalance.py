"""Class imbalance as the share of the rarest class (He and Garcia 2009, https://doi.org/10.1109/TKDE.2008.239, section 2)."""

from __future__ import annotations

from collections.abc import Iterable

from polygraft.data.quality.base import Check, Finding, Severity
from polygraft.data.survey import Survey

RARE, VERY_RARE = 0.1, 0.001


class Imbalance(Check):
    """Targets of classes whose rarest class has less than a fifth of the rows of an even share."""

    def look(self, seen: Survey) -> Iterable[Finding]:
        for target in seen.spec.targets:
            for name in target.columns if target.kind != "number" else ():
                column = seen.columns[name]
                if not column.levels or len(column.levels) < 2:
                    continue
                level, count = min(column.levels.items(), key=lambda pair: pair[1])
                share = count / column.known
                if share < 2 * RARE / len(column.levels):
                    severe: Severity = "serious" if share < VERY_RARE else "warning"
                    words = f"the rarest class of {name}, {level!r}, has {count:,} of {column.known:,} rows"
                    mend = "objective: {name: classification, class_weights: balanced}"
                    yield Finding("imbalance", severe, f"columns.{name}", share, "of rows", words, mend)
