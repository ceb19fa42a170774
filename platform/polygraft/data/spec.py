"""What assembly hands to this room: one table of a suite in plain words, without the suite."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from polygraft.core.errors import Fault

Kind = Literal["number", "category", "boolean", "timestamp", "text", "list", "image"]
KINDS: tuple[Kind, ...] = ("number", "category", "boolean", "timestamp", "text", "list", "image")

Step = tuple[str, Mapping[str, Any]]
"""A plugin's name and its settings."""


def nowhere(path: str) -> str:
    """The place of a dotted path when no file is known: none."""
    return ""


@dataclass(frozen=True)
class SplitSpec:
    """How the rows are parted.

    by: `random` (each row on its own), `time` (the last rows are the test), `group` (whole groups, by the
        hash of their value), `column` (an explicit column of parts).
    column: what `time`, `group` and `column` look at.
    validation: a share of all rows in [0, 1); for `column` also a value of that column. As a share there, it is one of the
        rows that are no test rows, taken at random.
    test: a share in [0, 1); for `column` the value, or values, that mark the test rows.
    """

    by: Literal["random", "time", "group", "column"] = "random"
    column: str | None = None
    validation: float | str | int | bool = 0.1
    test: float | str | int | bool | tuple[str | int | bool, ...] = 0.2


@dataclass(frozen=True)
class WindowSpec:
    """The `length` values of a column that end `lag` rows before the row itself; 0 is the row's own."""

    length: int
    lag: int = 0


@dataclass(frozen=True)
class SeriesSpec:
    """A table whose rows are moments of one series, or of several, and the columns that are made of it.

    time: the column of their order. by: rows with equal values there are one series. lags, windows, ahead: by column; of
    `ahead` only what is a task's target. season: rows from one to the one that it is likest to; forecasts are measured by it.
    """

    time: str
    by: tuple[str, ...] = ()
    lags: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    windows: Mapping[str, WindowSpec] = field(default_factory=dict)
    ahead: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    season: int = 1

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> SeriesSpec:
        """What `dataclasses.asdict` made of one."""
        rows = {role: {name: tuple(each) for name, each in fields[role].items()} for role in ("lags", "ahead")}
        windows = {name: WindowSpec(**each) for name, each in fields["windows"].items()}
        return SeriesSpec(fields["time"], tuple(fields["by"]), windows=windows, season=fields.get("season", 1), **rows)

    @property
    def shifted(self) -> dict[str, tuple[str, int]]:
        """Each made column that holds the value of another row: its name, to (of which column, how many rows later)."""
        past = {lag_name(name, each): (name, -each) for name, lags in self.lags.items() for each in lags}
        return past | {ahead_name(name, each): (name, each) for name, rows in self.ahead.items() for each in rows}

    @property
    def made(self) -> list[str]:
        """The names of all made columns."""
        return [*self.shifted, *map(window_name, self.windows)]

    @property
    def read(self) -> list[str]:
        """The columns that features are made of, and those that order them."""
        return list(dict.fromkeys([*self.lags, *self.windows, self.time, *self.by]))


def lag_name(column: str, rows: int) -> str:
    """What a column of values `rows` ago is called."""
    return f"{column} lag {rows}"


def ahead_name(column: str, rows: int) -> str:
    """What a column of values `rows` later is called."""
    return f"{column} ahead {rows}"


def window_name(column: str) -> str:
    """What a column of windows is called."""
    return f"{column} window"


@dataclass(frozen=True)
class TargetSpec:
    """What one task wants to know. columns: as many as the kind takes. kind: one of `data/target_kinds`."""

    task: str
    columns: tuple[str, ...]
    kind: str


@dataclass(frozen=True)
class TableSpec:
    """One table of a suite.

    sources: files, globs (relative to `folder`), or one recipe, `recipe.py:function`.
    columns: kinds that inference would get wrong. drop: columns that are no features. weight: a column of row weights.
    clean: cleaning steps in order, fitted on the training rows. encode: an encoder for a column, in place of its kind's.
    where: `file:line` of a dotted path inside the table (`columns.month`, `drop.0`, `split.column`, `clean.1.method`;
        `targets.<task>` is that task's target). It answers an unknown path by its nearest known parent.
    series: where the rows are moments of series, and which columns are made of that.
    sampling: how often a training row comes, a sampler and its settings.
    by_length: of how many batches the rows are sorted by length together, so that little is padded; 0 of none.
    memory: bytes that preparing may take, beside what the process takes anyway; a larger table is cleaned in a stream.
    plugins: the folder whose `plugins/` may hold the user's own cleaning steps and encoders.
    """

    name: str
    sources: tuple[Path | str, ...]
    folder: Path = field(default_factory=Path)
    columns: Mapping[str, Kind] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    weight: str | None = None
    clean: tuple[Step, ...] = (("missing", {}),)
    encode: Mapping[str, Step] = field(default_factory=dict)
    split: SplitSpec = field(default_factory=SplitSpec)
    targets: tuple[TargetSpec, ...] = ()
    series: SeriesSpec | None = None
    sampling: Step = ("uniform", {})
    by_length: int = 0
    seed: int = 0
    memory: int = 4 * 2**30
    where: Callable[[str], str] = nowhere
    plugins: Path | None = None

    def fault(self, path: str, what: str) -> Fault:
        """A fault at a dotted path inside this table; its text says the path from the suite's root."""
        full = f"data.{self.name}.{path}" if path else f"data.{self.name}"
        if path.startswith("targets."):
            full = f"tasks.{path.removeprefix('targets.')}.target"
        return Fault(self.where(path), f"{full}: {what}")

    def content(self) -> dict[str, Any]:
        """All that decides what the prepared table holds, but the source's bytes: JSON-able, the same on every machine."""
        return {
            "columns": dict(sorted(self.columns.items())),
            "drop": sorted(self.drop),
            "weight": self.weight,
            "clean": [[name, dict(settings)] for name, settings in self.clean],
            "encode": {column: [name, dict(settings)] for column, (name, settings) in sorted(self.encode.items())},
            "split": dataclasses.asdict(self.split),
            "targets": [dataclasses.asdict(target) for target in self.targets],
            "series": dataclasses.asdict(self.series) if self.series else None,
            "sampling": [self.sampling[0], dict(self.sampling[1])],
            "seed": self.seed,
        }
