"""Standard exact duplicates by a 64-bit hash of the row, within a split and across splits (Elmagarmid et al. 2007, section 1)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from polygraft.data.quality.base import Check, Finding, Severity
from polygraft.data.survey import Survey, part_names

SERIOUS = 0.01


class Duplicates(Check):
    """Rows that repeat an earlier row of the same source, and held-out rows that are training rows, too.

    The table's columns are compared, all but the split's own: of equal rows the first is no duplicate. Where the split is
    given by a column, its two sides, test rows and others, are counted apart.
    """

    def look(self, seen: Survey) -> Iterable[Finding]:
        names = {number: name for number, name in part_names().items() if (seen.parts == number).any()}
        given = seen.spec.split.by == "column"
        sides = {"outside of the test rows": seen.parts != 2, "of the test rows": seen.parts == 2} if given else {}
        for where, rows in (sides or {"": np.ones(seen.rows, bool)}).items():
            repeated = int(rows.sum()) - len(np.unique(seen.hashes[rows]))
            if repeated:
                words = f"{repeated:,} rows repeat an earlier one {where}".rstrip()
                mend = "" if where == "of the test rows" else "clean: [{name: duplicates}, {name: missing}]"
                yield Finding("duplicates", "warning", "", repeated, "rows", words, mend)
        training = np.unique(seen.hashes[seen.parts == 0])
        for number, name in names.items():
            both = int(np.isin(seen.hashes[seen.parts == number], training).sum()) if number else 0
            if both:
                severe: Severity = "serious" if both > SERIOUS * (seen.parts == number).sum() else "warning"
                words = f"{both:,} {name} rows are equal to a training row: their score is remembered, not learnt"
                yield Finding("duplicates", severe, "split", both, "rows", words)
