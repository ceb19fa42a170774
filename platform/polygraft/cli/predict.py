"""Predict the rows of a file with a model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from polygraft.cli.output import as_json, print_json


@click.command()
@click.argument("model")
@click.argument("rows", metavar="IN", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--table", help="Which of the model's tables the rows are of; may be left out where it has one.")
@click.option(
    "--tracking", metavar="URI", help="MLflow's address; absent, MLFLOW_TRACKING_URI, else the file under runs/."
)
@as_json
def command(model: str, rows: Path, out: Path, table: str | None, tracking: str | None, as_json: bool) -> None:
    """Read raw rows from IN and write MODEL's columns for each task to OUT; both Parquet, CSV or Arrow.

    MODEL: a name (its champion), name@alias, name/3, models:/..., runs:/... or a folder.
    """
    from polygraft.assembly.model import load_model
    from polygraft.data.tables import read_file, write

    known, unknown = load_model(model, tracking=tracking), Counter[str]()
    frame = known.predict_columns(read_file(rows), table, unknown)
    write(frame, out)
    told = {"rows": len(next(iter(frame.values()))), "columns": list(frame), "out": str(out), "unknown": dict(unknown)}
    for column, count in unknown.items():
        what = "hold what training did not know in it, and are encoded as unknown."
        click.echo(f"'{column}': {count:,} of {told['rows']:,} rows {what}", err=True)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{out}: {told['rows']:,} rows of {', '.join(frame)}")
