"""Write a run's report, one page, and say where it is."""

from __future__ import annotations

from pathlib import Path

import click

from polygraft.cli.output import as_json, print_json


@click.command()
@click.argument("run", default="latest")
@click.option("--open", "open_it", is_flag=True, help="Open the page in a browser.")
@as_json
def command(run: str, open_it: bool, as_json: bool) -> None:
    """Write the report of RUN: our id, MLflow's, a unique prefix, a folder, or `latest`."""
    from polygraft.report.run_report import write_report
    from polygraft.storage.runs import find_run

    found = find_run(Path("runs"), run)
    page = write_report(found.folder)
    if as_json:
        print_json({"run_id": found.run_id, "report": str(page)})
    else:
        click.echo(page)
    if open_it:
        click.launch(str(page))
