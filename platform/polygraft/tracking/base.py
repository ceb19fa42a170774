"""Tracker: where a run's numbers go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path


class Tracker(ABC):
    """Takes numbers by step. Silent on every rank but 0, and in tests."""

    @abstractmethod
    def log(self, values: Mapping[str, float], step: int) -> None:
        """Note `{key: value}` at `step`. Keys under `system/` are clocks and machines, outside the promise of equal histories."""

    @abstractmethod
    def artifact(self, path: Path) -> None:
        """Keep a file or a folder with the run."""

    @abstractmethod
    def rewind(self, step: int) -> None:
        """Forget every point after `step`: the run goes on from there."""

    @abstractmethod
    def flush(self) -> None:
        """Return when all that was logged is durable; called before a checkpoint counts as complete."""
