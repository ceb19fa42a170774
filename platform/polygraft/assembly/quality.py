"""From a suite to what its tables' quality checks find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from polygraft.assembly.group_errors import errors_by_group
from polygraft.assembly.tables import table_spec
from polygraft.core.catalogue import catalogue
from polygraft.core.errors import Fault, UserError
from polygraft.data.distributions import Distribution, distributions, joint_gaps
from polygraft.data.opened import opened
from polygraft.data.quality import registry
from polygraft.data.quality.base import SEVERITIES, Check, Finding
from polygraft.data.survey import Survey, survey_blocks
from polygraft.suite.schema import Suite


@dataclass(frozen=True)
class Quality:
    """Of one table. missing: the share of missing values by column. findings: the most serious first.

    distributions, joint_gaps: what pictures show, as data/distributions.py says.
    """

    table: str
    rows: int
    columns: int
    missing: dict[str, float]
    findings: list[Finding]
    distributions: list[Distribution]
    joint_gaps: list[tuple[str, str, float]]


def look_at(suite: Suite, storage: Path) -> list[Quality]:
    """Every table of the suite that has rows, seen by every check there is. Raises UserError with the faults of all tables.

    storage: of runs, the newest finished one of which says how its errors differ by group; its cache is used.
    """
    faults: list[Fault] = []
    surveys: dict[str, Survey] = {}
    for name in [each for each, table in suite.data.items() if not table.played]:
        try:
            table = opened(table_spec(suite, name), storage / "cache")
            seen = survey_blocks(table.spec, table.schema, table.rows, table.blocks())
            surveys[name] = replace(seen, others=dict(surveys), errors=errors_by_group(suite, table, storage))
        except UserError as error:
            faults += error.faults
    if faults:
        raise UserError(faults)
    checks = [registry.make(each, beside=suite.folder) for each in catalogue("data/quality", suite.folder)]
    return [_quality(name, seen, checks) for name, seen in surveys.items()]


def _quality(name: str, seen: Survey, checks: Sequence[Check]) -> Quality:
    found = [finding for each in checks for finding in each.look(seen)]
    found.sort(key=lambda finding: (SEVERITIES.index(finding.severity), finding.check))
    missing = {column: each.missing / max(1, each.rows) for column, each in seen.columns.items() if each.missing}
    return Quality(name, seen.rows, len(seen.columns), missing, found, distributions(seen), joint_gaps(seen))
