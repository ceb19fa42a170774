"""Values that stand for a missing one, disguised missing data: Pearson 2006 (https://doi.org/10.1145/1147234.1147247)."""

from __future__ import annotations

import json
from collections.abc import Iterable

from polygraft.data.quality.base import Check, Finding, Severity
from polygraft.data.statistics import Statistics
from polygraft.data.survey import Survey

WORDS = {
    "",
    "?",
    "-",
    ".",
    "na",
    "n/a",
    "nan",
    "null",
    "none",
    "nil",
    "unknown",
    "missing",
    "undefined",
    "not in universe",
}
SENTINELS = (-1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99999.0)
LEAST, APART = 0.001, 2.0


class SuspiciousLevels(Check):
    """Texts such as 'NA' and '?', and numbers such as -999 that lie two ranges of all others away from them."""

    def look(self, seen: Survey) -> Iterable[Finding]:
        for name in seen.features:
            column = seen.columns[name]
            found = _sentinels(column) if column.moments else _words(column)
            for level, count in found.items():
                severe: Severity = "note" if level.strip().lower() == "not in universe" else "warning"
                words = f"{count:,} values of {name} are {level!r}: is that an answer, or a missing value?"
                mend = (
                    ""
                    if column.moments
                    else f"clean: [{{name: levels, null: [{json.dumps(level, ensure_ascii=False)}]}}, {{name: missing}}]"
                )
                yield Finding("suspicious_levels", severe, f"columns.{name}", count, "rows", words, mend)


def _words(column: Statistics) -> dict[str, int]:
    return {level: count for level, count in (column.levels or {}).items() if level.strip().lower() in WORDS}


def _sentinels(column: Statistics) -> dict[str, int]:
    numbers = {float(level): count for level, count in (column.levels or {}).items()}
    found = {}
    for value in SENTINELS:
        count = numbers.get(value, 0)
        others = [each for each in numbers if each not in SENTINELS]
        if count <= LEAST * column.rows or len(others) < 2:
            continue
        low, high = min(others), max(others)
        if max(low - value, value - high) > APART * (high - low):
            found[f"{value:g}"] = count
    return found
