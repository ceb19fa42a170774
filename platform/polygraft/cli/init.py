"""Write a first suite for your own files: types inferred, complete, commented."""

from __future__ import annotations

from pathlib import Path

import click

from polygraft.assembly.starter import starts, suite_text
from polygraft.cli.output import as_json, print_json
from polygraft.core.atomic import write_text
from polygraft.core.errors import fault
from polygraft.suite.load import load


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--target", "targets", multiple=True, required=True, metavar="COL", help="A column to predict. Repeatable."
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Folder of the suite; by default the first file's name."
)
@as_json
def command(files: tuple[Path, ...], targets: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Write a suite over FILES (CSV, Parquet, JSON lines, Arrow), one table each, that predicts the --target columns."""
    folder = out or Path(files[0].name.split(".")[0])
    path = folder / "suite.yaml"
    if path.exists():
        raise fault("there is a suite already; nothing was written over it. Choose another folder with -o.", str(path))
    made = starts(files, targets, folder)
    name = (
        "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in folder.resolve().name).strip("-")
        or "suite"
    )
    write_text(path, suite_text(name, made))
    suite = load(path)
    if as_json:
        print_json({"suite": str(path), "tables": list(suite.data), "tasks": list(suite.tasks)})
        return
    tasks = f"{len(suite.tasks)} task{'s' * (len(suite.tasks) > 1)}"
    click.echo(f"{path}: {tasks} on {sum(table.rows for table in made):,} rows. Read it, then:")
    click.echo(f"  polygraft train {path}")
