"""Standard screening of texts that are mostly numbers (Rahm and Do 2000, Data Cleaning: Problems and Current Approaches, section 2.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from polygraft.data.quality.base import Check, Finding
from polygraft.data.survey import Survey

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
MOST = 0.8


class MixedTypes(Check):
    """Text features of which more than four fifths of the known values, but not all, read as numbers."""

    def look(self, seen: Survey) -> Iterable[Finding]:
        for name in seen.features:
            column = seen.columns[name]
            if column.moments is not None or not column.levels or not column.known:
                continue
            numbers = {level: count for level, count in column.levels.items() if NUMBER.fullmatch(level)}
            others = [level for level in column.levels if level not in numbers]
            share = sum(numbers.values()) / column.known
            if MOST < share < 1:
                words = f"{share:.1%} of {name} read as numbers, others as {', '.join(map(repr, others[:3]))}"
                yield Finding("mixed_types", "warning", f"columns.{name}", share, "of known", words)
