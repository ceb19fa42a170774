"""A tracker that keeps nothing: every rank but 0, and tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from polygraft.tracking.base import Tracker


class Silent(Tracker):
    """Keeps nothing."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Nothing."""

    def artifact(self, path: Path) -> None:
        """Nothing."""

    def rewind(self, step: int) -> None:
        """Nothing."""

    def flush(self) -> None:
        """Nothing."""
