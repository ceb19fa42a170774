"""Check a suite: every key, name and setting in it, all faults at once."""

from __future__ import annotations

from typing import Any

import click

from polygraft.cli.output import as_json, overrides, print_json, suite_file
from polygraft.suite.identity import digest
from polygraft.suite.load import load
from polygraft.suite.schema import Suite, resolved


@click.command()
@suite_file
@overrides
@as_json
def command(suite: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Check a suite alone, without its data: every key, name and setting, all faults at once."""
    checked = load(suite, overrides)
    if as_json:
        print_json(_result(checked))
    else:
        click.echo(_summary(checked))


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
