"""Candidates: the files that may hold a room's plugins, found without importing one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path

from polygraft.core.source import PACKAGE


@dataclass(frozen=True)
class Candidate:
    """A file that may hold plugin `name`.

    module: what it is imported as; empty for one beside a suite, which is imported by its path.
    ours: whether it lies in polygraft's own room, where a file may also be no plugin at all.
    """

    name: str
    path: Path
    module: str
    ours: bool = False


def candidates(room: str, beside: Path | None) -> list[Candidate]:
    """Ours, then those of installed packages, then those in `<beside>/plugins/<room>`."""
    package = "polygraft." + room.replace("/", ".")
    found = [Candidate(file.stem, file, f"{package}.{file.stem}", ours=True) for file in _files(PACKAGE / room)]
    for point in _entry_points():
        if point.group == package and (path := _module_file(point.module)):
            found.append(Candidate(point.name, path, point.module))
    if beside is not None:
        found += [Candidate(file.stem, file, "") for file in _files(beside / "plugins" / room)]
    return found


def _files(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.glob("*.py")) if not file.stem.startswith("_")]


@cache
def _entry_points() -> tuple[metadata.EntryPoint, ...]:
    points = metadata.entry_points()
    return tuple(
        point for group in points.groups if group.startswith("polygraft.") for point in points.select(group=group)
    )


def _module_file(module: str) -> Path | None:
    """The file of an installed module. `importlib.util.find_spec` would import the packages around it; this imports none."""
    locations: list[str] | None = None
    spec = None
    for i, _ in enumerate(parts := module.split(".")):
        spec = PathFinder.find_spec(".".join(parts[: i + 1]), locations)
        if spec is None:
            return None
        locations = list(spec.submodule_search_locations or [])
    return Path(spec.origin) if spec and spec.origin else None
