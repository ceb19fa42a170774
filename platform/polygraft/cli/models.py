"""List the registered models."""

from __future__ import annotations

import os
from pathlib import Path

import click

from polygraft.cli.output import as_json, print_json, print_table


@click.command()
@click.argument("name", required=False)
@click.option(
    "--tracking", metavar="URI", help="MLflow's address; absent, MLFLOW_TRACKING_URI, else the file under runs/."
)
@as_json
def command(name: str | None, tracking: str | None, as_json: bool) -> None:
    """List the versions of every registered model, or of NAME: aliases, age, run and test figures."""
    from polygraft.tracking.mlflow_tracker import tracking_uri
    from polygraft.tracking.model_registry import ModelRegistry

    uri, _ = tracking_uri(tracking, os.environ, None, Path("runs"))
    versions = ModelRegistry(uri).versions(name)
    if as_json:
        told = [
            {
                "name": v.name,
                "version": v.number,
                "aliases": v.aliases,
                "age_s": v.age_s,
                "run_id": v.run_id,
                "metrics": v.metrics,
            }
            for v in versions
        ]
        print_json({"models": told})
    elif not versions:
        click.echo("no model is registered yet; `polygraft train SUITE` registers one.")
    else:
        head = ["model", "aliases", "age", "improvement", "run"]
        print_table(
            head,
            [
                [
                    f"{v.name}/{v.number}",
                    ", ".join(v.aliases),
                    _age(v.age_s),
                    v.metrics.get("test/improvement", "-"),
                    v.run_id or "-",
                ]
                for v in versions
            ],
        )


def _age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
