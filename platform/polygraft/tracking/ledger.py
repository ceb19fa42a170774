"""A ledger: what the runs of a study came to, one JSON line each, only ever appended to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polygraft.core.errors import RunFailed
from polygraft.tracking.journal import open_whole


class Ledger:
    """The lines of `path`, by their `run`; of several the last one counts.

    A line is on the disk when `add` returns. One that a power cut tore is cut off before the next is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, entry: Mapping[str, Any]) -> None:
        """Append an entry; it says under `run` whose it is. Raises RunFailed on a full disk."""
        assert "run" in entry
        text = json.dumps(dict(entry), ensure_ascii=False) + "\n"
        handle = open_whole(self.path)
        try:
            left = text.encode()
            while left:
                left = left[os.write(handle, left) :]
            os.fsync(handle)
        except OSError as error:
            raise RunFailed(f"{self.path}: the ledger could not be written ({error.strerror}).") from error
        finally:
            os.close(handle)

    def entries(self) -> dict[str, dict[str, Any]]:
        """`{run: entry}`, in the order in which the runs came first. A torn last line is left out."""
        try:
            lines = self.path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return {}
        found: dict[str, dict[str, Any]] = {}
        for number, line in enumerate(lines, start=1):
            try:
                entry = json.loads(line)
                found[entry["run"]] = entry
            except (ValueError, KeyError, TypeError) as error:
                raise RunFailed(f"{self.path}:{number}: this line is not of a ledger; it was changed.") from error
        return found
