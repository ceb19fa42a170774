"""Standard temporal checks: rows in the order of time, and no split that mixes them (Bergmeir and Benitez 2012, section 3)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polygraft.data.quality.base import Check, Finding
from polygraft.data.survey import Survey

ORDERED = 0.95


class Dates(Check):
    """Date columns that are almost, not wholly, in order; dated rows that a random split takes the future from."""

    def look(self, seen: Survey) -> Iterable[Finding]:
        dated = [field.name for field in seen.sample.schema if pa.types.is_timestamp(field.type)]
        for name in dated:
            values = pc.drop_null(seen.sample.column(name)).to_numpy().astype(np.int64)
            steps = np.diff(values)
            back = int((steps < 0).sum())
            if len(steps) and 0 < back < (1 - ORDERED) * len(steps):
                words = f"{back:,} of {len(steps):,} sampled steps of {name} go back in time"
                yield Finding("dates", "note", f"columns.{name}", back, "of sample", words)
        if dated and seen.spec.split.by == "random":
            words = f"the rows are dated by {dated[0]} and split at random: training rows come from after the test rows"
            mend = f"split: {{by: time, column: {dated[0]}}}"
            yield Finding("dates", "note", "split", len(dated), "columns", words, mend)
