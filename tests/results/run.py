"""The figures of tasks/README.md, made again row by row: `make results`.

    python tests/results/run.py [ROW...] [--rows FILE] [--out FOLDER] [--again] [--dry-run]

A row of rows.toml is some commands and the minutes they take. What they print is kept as FOLDER/<row>.txt once all have ended
well; a row that has its file is not made again, so that what was stopped goes on where it was. The budget is told first and last.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """minutes: on 2 quiet cores. commands: given from the root of the repository; `python`, `polygraft` are this environment's."""

    name: str
    minutes: float
    commands: tuple[str, ...]


def read(file: Path) -> dict[str, Row]:
    """The rows of a file, in its order."""
    found = tomllib.loads(file.read_text())
    return {name: Row(name, float(each["minutes"]), tuple(each["commands"])) for name, each in found.items()}


def budget(rows: Mapping[str, Row], out: Path) -> str:
    """The table of rows: what each takes, what is done, what is left."""
    wide = max(map(len, rows))
    lines = [f"{'row':{wide}}  minutes  state"]
    for row in rows.values():
        lines.append(f"{row.name:{wide}}  {row.minutes:7.0f}  {'done' if done(row, out) else 'to do'}")
    left = sum(row.minutes for row in rows.values() if not done(row, out))
    return "\n".join([*lines, f"{'left':{wide}}  {left:7.0f}"])


def done(row: Row, out: Path) -> bool:
    """Whether the row's commands have ended well, by their very words."""
    kept = out / f"{row.name}.txt"
    if not kept.exists():
        return False
    told = kept.read_text().splitlines()
    return [line[2:] for line in told if line.startswith("$ ")] == list(row.commands)


def make(row: Row, out: Path) -> bool:
    """Run a row's commands; their output goes to the screen and, if they end well, to its file. Returns whether they did."""
    began, lines = time.monotonic(), []
    print(f"\n== {row.name}, about {row.minutes:.0f} min", flush=True)
    for command in row.commands:
        print(f"$ {command}", flush=True)
        code, printed = run(command)
        lines += [f"$ {command}\n", *printed]
        if code:
            print(f"== {row.name} failed with exit code {code}; the others go on", flush=True)
            return False
    lines.append(f"# {(time.monotonic() - began) / 60:.1f} min, {time.strftime('%Y-%m-%d')}\n")
    out.mkdir(parents=True, exist_ok=True)
    half = out / f".{row.name}.partial"
    half.write_text("".join(lines))
    half.rename(out / f"{row.name}.txt")
    return True


def run(command: str) -> tuple[int, list[str]]:
    """(exit code, the lines it printed), shown as they come."""
    words = shlex.split(command)
    argv = [str(Path(sys.executable).with_name(words[0])), *words[1:]]
    lines = []
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return process.returncode, lines


def main() -> int:
    """Make the rows that are not made yet; 1 if one failed, 2 if one is not known."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("wanted", nargs="*", metavar="ROW")
    parser.add_argument("--rows", type=Path, default=HERE / "rows.toml")
    parser.add_argument("--out", type=Path, default=Path("runs/results"))
    parser.add_argument("--again", action="store_true", help="make the rows named even if they are made")
    parser.add_argument("--dry-run", action="store_true", help="tell the budget alone")
    given = parser.parse_args()
    rows = read(given.rows)
    if unknown := [name for name in given.wanted if name not in rows]:
        print(f"no row is called {', '.join(unknown)}. There are {', '.join(rows)}.", file=sys.stderr)
        return 2
    chosen = {name: rows[name] for name in given.wanted or rows}
    print(budget(chosen, given.out))
    if given.dry_run:
        return 0
    if given.again:
        for name in chosen:
            (given.out / f"{name}.txt").unlink(missing_ok=True)
    ended = [make(row, given.out) for row in chosen.values() if not done(row, given.out)]
    print(f"\n{budget(chosen, given.out)}\nwhat each printed: {given.out}/<row>.txt")
    return 0 if all(ended) else 1


if __name__ == "__main__":
    sys.exit(main())
