"""What the quality checks say of a file that has no suite yet, as the lines that a first suite takes from it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from polygraft.core.catalogue import catalogue
from polygraft.core.errors import UserError
from polygraft.data.checks import check
from polygraft.data.quality import registry
from polygraft.data.quality.base import Finding
from polygraft.data.spec import Kind, SplitSpec, TableSpec, TargetSpec
from polygraft.data.survey import survey

MOST = 5
"""Findings that are told; `check --data` tells all."""


@dataclass(frozen=True)
class Advice:
    """nulls: texts that stand for a missing value. dated: the column that the split had better go by. told: what else was found."""

    nulls: tuple[str, ...] = ()
    dated: str | None = None
    told: tuple[str, ...] = ()

    def clean(self) -> str:
        """The line of the cleaning steps."""
        if not self.nulls:
            return "clean: [missing, outliers, rare_levels]   # fitted on the training rows alone, kept with the model"
        texts = ", ".join(json.dumps(text, ensure_ascii=False) for text in self.nulls)
        return f"clean: [{{name: levels, null: [{texts}]}}, missing, outliers, rare_levels]   # these texts look like missing values"

    def split(self) -> str:
        """The line of the split."""
        if self.dated is None:
            return "split: {by: random, validation: 0.1, test: 0.2}   # or time, group, column: say which column"
        column = json.dumps(self.dated, ensure_ascii=False)
        return f"split: {{by: time, column: {column}, validation: 0.1, test: 0.2}}   # dated rows: the last ones are asked for; or by: random"


def advice(table: pa.Table, kinds: Mapping[str, Kind], dropped: Sequence[str], targets: Mapping[str, bool]) -> Advice:
    """kinds: of the features. targets: by column, whether its values are classes. Of a table with a fault there is none: `check` tells it."""
    described = tuple(
        TargetSpec(name, (name,), "category" if classes else "number") for name, classes in targets.items()
    )
    spec = TableSpec("table", ("table",), Path(), columns=kinds, drop=tuple(dropped), targets=described)
    try:
        seen = survey(table, spec, check(spec, table).parts)
    except UserError:
        return Advice()
    found = [each for name in catalogue("data/quality") for each in registry.make(name).look(seen)]
    texts = {each.place.removeprefix("columns.") for each in found if each.check == "suspicious_levels" and each.mend}
    nulls = {level for name in texts for level in _nulls(found, name)}
    return Advice(tuple(sorted(nulls)), _dated(spec, table), _told(found))


def _nulls(found: Sequence[Finding], name: str) -> list[str]:
    """The texts that the findings of a column would make missing; what may be an answer is left."""
    mends = [
        each.mend
        for each in found
        if (each.check, each.place, each.severity) == ("suspicious_levels", f"columns.{name}", "warning")
    ]
    return [str(json.loads(mend.partition("null: [")[2].partition("]}")[0])) for mend in mends]


def _dated(spec: TableSpec, table: pa.Table) -> str | None:
    """The first column of moments by which the table can be split so that each part has what each task needs."""
    for name, kind in spec.columns.items():
        if (
            kind == "timestamp"
            and not table.column(name).null_count
            and pc.count_distinct(table.column(name)).as_py() > 9
        ):
            try:
                check(replace(spec, split=SplitSpec("time", name, 0.1, 0.2)), table)
            except UserError:
                continue
            return name
    return None


def _told(found: Sequence[Finding]) -> tuple[str, ...]:
    told = [
        each for each in found if each.severity == "serious" or each.check in ("leakage", "imbalance", "label_noise")
    ]
    return tuple(f"{each.words}{f'; {each.mend}' if each.mend else ''}" for each in told[:MOST])
