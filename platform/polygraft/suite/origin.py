"""Origin: where a suite was read, and on which line each of its keys stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Origin:
    """Where a suite came from. It is no part of what the suite says.

    file: as the person named it; empty for a suite that was made in Python.
    folder: what its relative paths are relative to.
    places: by dotted path (`train.batch_size`, `data.flights.clean.1`), `file:line` or the `--set` that gave it.
    """

    file: str = ""
    folder: Path = field(default_factory=Path)
    places: dict[str, str] = field(default_factory=dict)

    def where(self, path: str) -> str:
        """The place of `path`, or of the nearest key around it."""
        while path:
            if path in self.places:
                return self.places[path]
            path = path.rpartition(".")[0]
        return self.places.get("", self.file)
