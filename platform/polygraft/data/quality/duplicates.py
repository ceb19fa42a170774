"""Standard exact duplicates by a 64-bit hash of the row, within a split and across splits (Elmagarmid et al. 2007, section 1)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from polygraft.data.quality.base import Check, Finding, Severity
from polygraft.data.survey import Survey, part_names

SERIOUS, AT_ONCE = 0.01, 2**16


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
            repeated = _repeated(seen.hashes[rows])
            if repeated:
                words = f"{repeated:,} rows repeat an earlier one {where}".rstrip()
                mend = "" if where == "of the test rows" else "clean: [{name: duplicates}, {name: missing}]"
                yield Finding("duplicates", "warning", "", repeated, "rows", words, mend)
        training = seen.hashes[seen.parts == 0]
        training.sort()
        for number, name in names.items():
            both = _among(seen.hashes[seen.parts == number], training) if number else 0
            if both:
                severe: Severity = "serious" if both > SERIOUS * (seen.parts == number).sum() else "warning"
                words = f"{both:,} {name} rows are equal to a training row: their score is remembered, not learnt"
                yield Finding("duplicates", severe, "split", both, "rows", words)


def _repeated(hashes: np.ndarray) -> int:
    """How many repeat another one; hashes are a copy, sorted in place: tables of all sizes come here."""
    hashes.sort()
    return int((hashes[1:] == hashes[:-1]).sum())


def _among(hashes: np.ndarray, known: np.ndarray) -> int:
    """How many are among the known ones, which are sorted."""
    found = 0
    for start in range(0, len(hashes) if len(known) else 0, AT_ONCE):
        some = hashes[start : start + AT_ONCE]
        place = np.searchsorted(known, some)
        found += int((known[np.minimum(place, len(known) - 1)] == some).sum())
    return found
