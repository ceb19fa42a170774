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
from polygraft.data.checks import Checked, check
from polygraft.data.groups import Group, candidates
from polygraft.data.quality import registry
from polygraft.data.quality.base import Finding
from polygraft.data.spec import Kind, SplitSpec, TableSpec, TargetSpec
from polygraft.data.survey import survey

MOST = 5
"""Findings that are told; `check --data` tells all."""


@dataclass(frozen=True)
class Advice:
    """nulls: texts that stand for a missing value. told: what else was found.

    dated, grouped: the columns that the split had better go by; where there are both, it goes by time.
    """

    nulls: tuple[str, ...] = ()
    dated: str | None = None
    grouped: Group | None = None
    told: tuple[str, ...] = ()

    def clean(self) -> str:
        """The line of the cleaning steps."""
        if not self.nulls:
            return "clean: [missing, outliers, rare_levels]   # fitted on the training rows alone, kept with the model"
        texts = ", ".join(json.dumps(text, ensure_ascii=False) for text in self.nulls)
        return f"clean: [{{name: levels, null: [{texts}]}}, missing, outliers, rare_levels]   # these texts look like missing values"

    def split(self) -> str:
        """The line of the split."""
        if self.dated is None and self.grouped is None:
            return "split: {by: random, validation: 0.1, test: 0.2}   # or time, group, column: say which column"
        by, name = (
            ("time", self.dated) if self.grouped is None or self.dated is not None else ("group", self.grouped.column)
        )
        line = f"split: {{by: {by}, column: {_quoted(name)}, validation: 0.1, test: 0.2}}   # "
        if self.grouped is None:
            return f"{line}dated rows: the last ones are asked for; or by: random"
        if self.dated is None:
            return f"{line}{self.grouped.why}: no test row's value is trained on, so it is no feature; or by: random"
        instead = f"{{by: group, column: {_quoted(self.grouped.column)}}} would keep them together"
        return f"{line}dated rows: the last ones are asked for. {self.grouped.column} has {self.grouped.why}; {instead}"

    @property
    def apart(self) -> str | None:
        """The column that is no feature, since the split goes by its groups: no test row's is known."""
        return self.grouped.column if self.grouped and self.dated is None else None


def advice(table: pa.Table, kinds: Mapping[str, Kind], dropped: Sequence[str], targets: Mapping[str, bool]) -> Advice:
    """kinds: of the features. targets: by column, whether its values are classes. Of a table with a fault there is none: `check` tells it."""
    described = tuple(
        TargetSpec(name, (name,), "category" if classes else "number") for name, classes in targets.items()
    )
    spec = TableSpec("table", ("table",), Path(), columns=kinds, drop=tuple(dropped), targets=described)
    try:
        checked = check(spec, table)
    except UserError:
        return Advice()
    dated, grouped = _dated(spec, table), _grouped(spec, table, checked)
    if by := SplitSpec("time", dated) if dated else SplitSpec("group", grouped.column) if grouped else None:
        spec = replace(spec, split=by)
        checked = check(spec, table)
    seen = survey(table, spec, checked.parts)  # under the split that is written
    found = [each for name in catalogue("data/quality") for each in registry.make(name).look(seen)]
    texts = {each.place.removeprefix("columns.") for each in found if each.check == "suspicious_levels" and each.mend}
    nulls = {level for name in texts for level in _nulls(found, name)}
    return Advice(tuple(sorted(nulls)), dated, grouped, _told(found))


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
            and _splits(spec, table, SplitSpec("time", name))
        ):
            return name
    return None


def _grouped(spec: TableSpec, table: pa.Table, checked: Checked) -> Group | None:
    """The best column of groups by which the table can be split so."""
    found = candidates(table, spec.columns, checked.labels.values())
    return next((group for group in found if _splits(spec, table, SplitSpec("group", group.column))), None)


def _splits(spec: TableSpec, table: pa.Table, split: SplitSpec) -> bool:
    """Whether each part then has what each task needs."""
    try:
        check(replace(spec, split=split), table)
    except UserError:
        return False
    return True


def _quoted(name: str | None) -> str:
    return json.dumps(name, ensure_ascii=False)


def _told(found: Sequence[Finding]) -> tuple[str, ...]:
    told = [
        each for each in found if each.severity == "serious" or each.check in ("leakage", "imbalance", "label_noise")
    ]
    return tuple(f"{each.words}{f'; {each.mend}' if each.mend else ''}" for each in told[:MOST])
