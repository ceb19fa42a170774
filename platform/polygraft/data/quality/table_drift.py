"""Drift between tables, covariate shift (Shimodaira 2000, https://doi.org/10.1016/S0378-3758(00)00115-4), measured as between splits."""

from __future__ import annotations

from collections.abc import Iterable

from polygraft.data.quality.base import Check, Finding
from polygraft.data.quality.drift import levels_apart, numbers_apart
from polygraft.data.survey import Survey


class TableDrift(Check):
    """Features that two tables share by name, but not by their values: of another kind, or distributed differently.

    The distances and bounds are those of drift between splits: numbers on both samples, texts on the counts of all rows. Of the
    tables before this one, the furthest is told.
    """

    def look(self, seen: Survey) -> Iterable[Finding]:
        for name in seen.features:
            shared = [(table, other) for table, other in seen.others.items() if name in other.features]
            found = [each for table, other in shared if (each := _compared(seen, name, table, other))]
            if found:
                yield max(found, key=lambda each: each.figure)


def _compared(seen: Survey, name: str, table: str, other: Survey) -> Finding | None:
    """How the column differs from the other table's; None when it does not."""
    mine, theirs = seen.numbers(name), other.numbers(name)
    if bool(len(mine)) != bool(len(theirs)):
        kinds = seen.sample.schema.field(name).type, other.sample.schema.field(name).type
        words = f"{name} is {kinds[0]} here and {kinds[1]} in {table}"
        return Finding("table_drift", "warning", f"columns.{name}", 1, "other type", words)
    if len(mine):
        apart, unit, measure = numbers_apart(mine, theirs), "KS", "Kolmogorov-Smirnov"
    else:
        levels = seen.columns[name].levels or {}, other.columns[name].levels or {}
        apart, unit, measure = levels_apart(*levels), "PSI", "population stability index"
    if not apart:
        return None
    words = f"{name} differs from that of {table}: {measure} {apart:.3f}"
    encoded = seen.columns[name].moments is None or name in seen.spec.encode
    mend = "" if encoded else f"encode: {{{name}: quantile_normal}}"
    return Finding("table_drift", "warning", f"columns.{name}", apart, unit, words, mend)
