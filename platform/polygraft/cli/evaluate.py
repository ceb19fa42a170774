"""Score a model on rows that carry their labels."""

from __future__ import annotations

from pathlib import Path

import click

from polygraft.cli.output import as_json, print_json, print_table


@click.command()
@click.argument("model")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--table", help="Which of the model's tables the rows are of; may be left out where it has one.")
@click.option(
    "--tracking", metavar="URI", help="MLflow's address; absent, MLFLOW_TRACKING_URI, else the file under runs/."
)
@as_json
def command(model: str, data: Path, table: str | None, tracking: str | None, as_json: bool) -> None:
    """Score MODEL on the file DATA, raw rows with their targets; rows without a task's label do not count for it."""
    from polygraft.assembly.model import load_model
    from polygraft.assembly.scoring import evaluate

    scores = evaluate(load_model(model, tracking=tracking), data, table)
    if as_json:
        print_json({"model": model, "data": str(data), "metrics": scores})
    else:
        print_table(["task", "metric", "value"], [[*key.split("/", 1), value] for key, value in scores.items()])
