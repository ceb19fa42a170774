"""Print what a shell needs to complete polygraft's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from polygraft.cli.main import cli


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of SHELL: `eval "$(polygraft completion bash)"`."""
    completion = get_completion_class(shell)
    assert completion is not None, shell
    click.echo(completion(cli, {}, "polygraft", "_POLYGRAFT_COMPLETE").source())
