"""Print the JSON Schema of a suite, for editors: every key, every plugin, every setting."""

from __future__ import annotations

from pathlib import Path

import click

from polygraft.cli.output import print_json
from polygraft.suite.json_schema import json_schema


@click.command()
@click.option("--suite", type=click.Path(path_type=Path), help="Also with the plugins beside this suite.")
@click.option("--json", is_flag=True, help="The same: a schema is JSON in any case.", hidden=True, expose_value=False)
def command(suite: Path | None) -> None:
    """Print the JSON Schema of a suite; editors complete and check keys, plugins and settings with it."""
    beside = None if suite is None else suite if suite.is_dir() else suite.parent
    print_json(json_schema(beside))
