"""The command line: finds its commands as files beside this one, runs one, and turns errors into exit codes.

Exit codes: 0 done; 1 the run failed; 2 the usage, the suite or the data is wrong; 130 interrupted. A command is a file
with a click command called `command`; its docstring is its line in `polygraft --help`, and it is imported when it is run.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

from polygraft.cli.output import print_json
from polygraft.core.errors import Fault, RunFailed, UserError, nearest
from polygraft.core.logs import set_up
from polygraft.version import __version__


class Commands(click.Group):
    """The commands beside this file; one is imported when it is asked for, so that no other one's imports are waited for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every file that holds a command."""
        return sorted(_files())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported; None for an unknown name."""
        if cmd_name not in _files():
            return None
        command: click.Command = import_module(f"polygraft.cli.{cmd_name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the nearest right name for a wrong one."""
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            ctx.fail(f"no command is called '{args[0]}'.{nearest(args[0], known)} There are {', '.join(known)}.")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands and options that begin so; click's own would import every command for its help."""
        found = [
            CompletionItem(name, help=told) for name, told in sorted(_files().items()) if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, read from their files' first lines: nothing is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_files().items()))


def _files() -> dict[str, str]:
    """Each command's name with the first line of its file."""
    found = {}
    for file in Path(__file__).parent.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        if re.search(r"^(def command\(|command\s*[:=])", text, re.MULTILINE):
            found[file.stem.replace("_", "-")] = text.partition("\n")[0].strip('"')
    return found


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, message="polygraft %(version)s")
def cli() -> None:
    """Many tasks grafted onto one backbone, learned jointly and end to end."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; what a person can mend is said on stderr, and with --json on stdout, too."""
    set_up()
    try:
        code = cli.main(arguments, prog_name="polygraft", standalone_mode=False)
    except UserError as error:
        count = len(error.faults)
        told = [*map(str, error.faults), f"{count} fault{'s' * (count > 1)}; nothing was started."]
        return _failed(arguments, 2, told, error.faults)
    except RunFailed as error:
        return _failed(arguments, 1, [str(error)], [Fault("", str(error))])
    except click.ClickException as error:
        hint = (
            f"`{error.ctx.command_path} --help` shows how." if isinstance(error, click.UsageError) and error.ctx else ""
        )
        message = error.format_message()
        return _failed(arguments, error.exit_code, [message, *([hint] if hint else [])], [Fault("", message)])
    except (KeyboardInterrupt, click.Abort):
        return _failed(arguments, 130, ["interrupted."], [Fault("", "interrupted.")])
    return code if isinstance(code, int) else 0


def _failed(arguments: list[str], code: int, told: list[str], faults: Sequence[Fault]) -> int:
    for line in told:
        print(line, file=sys.stderr)
    if "--json" in arguments:
        print_json({"error": [{"where": each.where, "what": each.what} for each in faults], "exit_code": code})
    return code
