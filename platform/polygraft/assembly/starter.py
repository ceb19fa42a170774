"""A first suite for somebody's own files: complete, commented, and trained as it is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from polygraft.core.errors import Fault, UserError, fault, nearest
from polygraft.data.advice import Advice, advice
from polygraft.data.inference import Inferred, infer
from polygraft.data.profile import Profile, profile
from polygraft.data.tables import read_file

CLASSES = 20
"""A target with so many levels or fewer is a class, whatever its type; a number with more is a value."""
EPOCHS, STEPS = 10, (300, 3000)
WIDTH = 64
"""Of every table's stem, where one trunk reads several."""


@dataclass(frozen=True)
class Start:
    """One file as a table of the suite. targets: its target columns, with what is known of each. advice: of the quality checks."""

    name: str
    source: str
    rows: int
    columns: Mapping[str, Inferred]
    targets: Mapping[str, Profile]
    advice: Advice = field(default_factory=Advice)

    @property
    def features(self) -> dict[str, Inferred]:
        """The columns to learn from."""
        apart = {*self.targets, self.advice.apart}
        return {name: each for name, each in self.columns.items() if name not in apart and not each.droppable}

    @property
    def dropped(self) -> dict[str, str]:
        """The columns that are no features, and why."""
        return {
            name: each.droppable for name, each in self.columns.items() if name not in self.targets and each.droppable
        }


def starts(files: Sequence[Path], targets: Sequence[str], folder: Path) -> list[Start]:
    """What the files hold. Raises UserError, all faults at once: unreadable files, targets that no file or several files have."""
    tables = {_name(file): read_file(file) for file in files}
    faults: list[Fault] = []
    if len(tables) < len(files):
        faults.append(Fault("FILE", "two files would make tables of the same name. Rename one."))
    owners: dict[str, dict[str, Profile]] = {name: {} for name in tables}
    for target in targets:
        having = [name for name, table in tables.items() if target in table.column_names]
        if len(having) == 1:
            found = profile(tables[having[0]].column(target))
            owners[having[0]][target] = found
            if found.levels < 2:
                faults.append(Fault("--target", f"'{target}' has {_count(found.levels)}; there is nothing to learn."))
        else:
            known = [column for table in tables.values() for column in table.column_names]
            lack = f"no file has a column '{target}'.{nearest(target, known)}"
            faults.append(Fault("--target", f"{len(having)} files have a column '{target}'." if having else lack))
    if faults:
        raise UserError(faults)
    made = []
    for file, (name, table) in zip(files, tables.items(), strict=True):
        if owners[name]:
            plain = Start(name, os.path.relpath(file, folder), len(table), infer(table), owners[name])
            kinds = {column: each.kind for column, each in plain.features.items() if each.kind is not None}
            classes = {column: _is_class(known) for column, known in plain.targets.items()}
            made.append(replace(plain, advice=advice(table, kinds, [*plain.dropped], classes)))
    return made


def suite_text(name: str, tables: Sequence[Start]) -> str:
    """The YAML of a suite over these tables, with the reasons in comments. Raises UserError when a table has no feature."""
    for table in tables:
        if not table.features:
            raise fault(
                f"'{table.source}' has no column to learn from: every other column is a target or no feature.",
                table.source,
            )
    rows = min(table.rows for table in tables)
    batch = max(2, min(1024, 1 << (max(rows // 20, 2).bit_length() - 1)))
    steps = min(max(STEPS[0], EPOCHS * rows // batch), STEPS[1])
    lines = [f"suite: {name}", "seed: 1", "data:"]
    for table in tables:
        lines += _table(table)
        if len(tables) > 1:
            lines.append(f"    stem: {{name: columns, width: {WIDTH}}}   # one width for all: one trunk reads them")
    lines += ["backbone: {name: mlp, widths: [256, 128], dropout: 0.1}   # what all tasks share"]
    lines += ["balancer: equal        # or pcgrad, mgda, uncertainty, ...: `polygraft list balancers`", "tasks:"]
    for table in tables:
        lines += _tasks(table)
    lines += [
        "train:",
        f"  steps: {steps}           # {batch * steps / max(rows * 0.7, 1):.0f} times through the training rows",
        f"  batch_size: {batch}     # rows a step{' of each table' * (len(tables) > 1)}, over all workers",
        "  optimizer: {name: adamw, lr: 1e-3}",
        f"  schedule: {{name: cosine, warmup: {min(50, steps // 10)}}}",
        f"  evaluate_every: {max(50, steps // 10)}",
        "workers: 1             # more: Ray actors, on this machine or on a cluster; the same bits",
    ]
    return "\n".join(lines) + "\n"


def _table(table: Start) -> list[str]:
    """The lines of one table."""
    lines = [
        f"  {table.name}:",
        f"    source: {_quoted(table.source)}   # {table.rows:,} rows",
        "    columns:   # as inferred; change what is wrong",
    ]
    lines += [f"      {_quoted(column)}: {each.kind}   # {each.why}" for column, each in table.features.items()]
    if table.dropped:
        lines.append("    drop:")
        lines += [f"      - {_quoted(column)}   # {why}" for column, why in table.dropped.items()]
    lines += [f"    {table.advice.clean()}", f"    {table.advice.split()}"]
    return [*lines, *(f"    # {words}" for words in table.advice.told)]


def _tasks(table: Start) -> list[str]:
    """The lines of a table's tasks: a class where there are few levels or no numbers, a value otherwise."""
    lines = []
    for column, known in table.targets.items():
        objective = "classification" if _is_class(known) else "regression"
        missing = f", {known.missing:,} missing (masked)" if known.missing else ""
        lines += [
            f"  {_name(Path(column))}:   # {known.levels:,} distinct values{missing}",
            f"    {{data: {table.name}, target: {_quoted(column)}, objective: {objective}}}",
        ]
    return lines


def _is_class(known: Profile) -> bool:
    return not known.number or known.levels <= CLASSES


def _name(path: Path) -> str:
    """A name that may stand in a metric's key."""
    name = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "_-") else "_"
        for letter in path.name.split(".")[0]
    )
    return name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"


def _count(levels: int) -> str:
    return "one value alone" if levels else "no value"


def _quoted(text: str) -> str:
    """The text as YAML takes it: plain where that is safe."""
    plain = text.replace("_", "").replace("/", "").replace(".", "").replace("-", "")
    words = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
    safe = plain.isalnum() and plain.isascii() and text[0].isalpha() and text.lower() not in words
    return text if safe else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
