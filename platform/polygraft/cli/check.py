"""Check a suite: every key, name and setting in it, all faults at once."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from polygraft.cli.output import as_json, overrides, print_json, print_table, suite_file
from polygraft.suite.identity import digest
from polygraft.suite.load import load
from polygraft.suite.schema import Suite, resolved


@click.command()
@suite_file
@overrides
@click.option("--data", "with_data", is_flag=True, help="Look for dirt in the tables, too, and write a page about it.")
@as_json
def command(suite: str, overrides: tuple[str, ...], with_data: bool, as_json: bool) -> None:
    """Check a suite, every key, name and setting, all faults at once; with --data, its tables' quality."""
    checked = load(suite, overrides)
    data = _data(checked) if with_data else {}
    if as_json:
        print_json(_result(checked) | data)
        return
    click.echo(_summary(checked))
    if data:
        _print(data)


def _data(suite: Suite) -> dict[str, Any]:
    """What was found, and where the page is. Findings are no faults: the exit code stays 0."""
    from polygraft.assembly.quality import look_at
    from polygraft.report.data_report import write_data_report

    root = Path(suite.storage)
    tables = [asdict(each) for each in look_at(suite, root)]
    return {"tables": tables, "report": str(write_data_report(root / suite.suite / "data.html", suite.suite, tables))}


def _print(data: dict[str, Any]) -> None:
    for each in data["tables"]:
        click.echo(
            f"\n{each['table']}: {each['rows']:,} rows, {each['columns']} columns, {len(each['findings'])} findings"
        )
        if each["findings"]:
            shown = [(f["severity"], f["words"], f"{f['figure']:.4g} {f['unit']}", f["mend"]) for f in each["findings"]]
            print_table(("severity", "finding", "figure", "mend"), shown)
    click.echo(f"\n{data['report']}")


def _result(suite: Suite) -> dict[str, Any]:
    return {"file": suite.file, "digest": digest(suite), "suite": resolved(suite)}


def _summary(suite: Suite) -> str:
    train, workers = suite.train, suite.workers
    long = f"{train.steps:,} steps" if train.steps else f"{train.epochs:g} epochs"
    many = f"{workers.count}" if workers.max is None else f"{workers.least} to {workers.most}"
    lines = {
        "tables": ", ".join(suite.data),
        "tasks": ", ".join(f"{name} ({task.objective.name})" for name, task in suite.tasks.items()),
        "network": f"{suite.backbone.name}, shared {suite.sharing.name}",
        "balancer": f"{suite.balancer.name}, gradients {suite.balancer.gradients}",
        "train": f"{long} of {train.batch_size:,} rows in {train.shards} shards, {train.optimizer.name} lr {train.optimizer.lr:g}",
        "workers": many,
    }
    told = "\n".join(f"  {key:<9} {value}" for key, value in lines.items())
    return f"{suite.file}: the suite '{suite.suite}' has no fault.\n{told}"
