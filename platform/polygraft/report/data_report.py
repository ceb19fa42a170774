"""One page about the quality of a suite's tables: what was found, how much of it, the line that mends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from polygraft.core.atomic import atomic_file
from polygraft.report.charts import bars, number
from polygraft.report.column_pictures import column_pictures, gap_picture
from polygraft.report.page import grid, page, section, table

MOST_BARS = 20


def write_data_report(path: Path, suite: str, tables: Sequence[Mapping[str, Any]]) -> Path:
    """Write the page; tables: `table`, `rows`, `columns`, `missing` {column: share}, `findings`, `distributions` and
    `joint_gaps`, as `check --data --json` says.
    """
    total = sum(len(each["findings"]) for each in tables)
    text = page(f"Data of {suite}", f"{total} findings in {len(tables)} tables", [_table(each) for each in tables])
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _table(seen: Mapping[str, Any]) -> str:
    findings = seen["findings"]
    rows = [
        (each["severity"], each["words"], f"{number(each['figure'])} {each['unit']}", each["mend"]) for each in findings
    ]
    most = dict(sorted(seen["missing"].items(), key=lambda pair: -pair[1])[:MOST_BARS])
    pictures = [
        bars("Findings by check", Counter(each["check"] for each in findings), unit="found", parts=False)
        if findings
        else "",
        bars("Missing values by column", {name: 100 * share for name, share in most.items()}, unit="%", parts=False)
        if most
        else "",
        gap_picture(seen["joint_gaps"]),
    ]
    said = f"{seen['rows']:,} rows, {seen['columns']} columns." + ("" if findings else " Nothing was found.")
    heads = ("severity", "finding", "figure", "mend")
    findings_table = table("Findings, the most serious first", heads, rows, words=4)
    columns = grid(column_pictures(seen["distributions"]))
    return section(seen["table"], grid(pictures), findings_table, "<h3>Columns</h3>", columns, words=said)
