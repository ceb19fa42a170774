"""Where a run's time goes: seconds by part, outside the promise of equal histories."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Adds up seconds by part until they are taken."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._rows = 0
        self._waited = 0.0
        self._since = self._begun = time.perf_counter()
        self._all_rows = 0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what happens inside as `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self._seconds[name] += spent
            self._waited += spent if name == "data" else 0.0

    def rows(self, count: int) -> None:
        """Count rows that were learned from."""
        self._rows += count
        self._all_rows += count

    @property
    def rate(self) -> float:
        """Rows a second since the clock was made, evaluations and checkpoints included."""
        return self._all_rows / max(time.perf_counter() - self._begun, 1e-9)

    @property
    def waited_share(self) -> float:
        """The share of the time since the clock was made, evaluations and checkpoints included, in which a step waited for its data."""
        return self._waited / max(time.perf_counter() - self._begun, 1e-9)

    def take(self) -> dict[str, float]:
        """Seconds by part, rows a second, the share of waiting for data and the wall seconds since it was last asked; then start anew."""
        now = time.perf_counter()
        wall = now - self._since
        taken = {f"system/seconds/{name}": seconds for name, seconds in self._seconds.items()}
        taken |= {"system/seconds/wall": wall, "system/samples_per_second": self._rows / max(wall, 1e-9)}
        taken["system/data_wait_share"] = self._seconds.get("data", 0.0) / max(wall, 1e-9)
        self._seconds.clear()
        self._rows, self._since = 0, now
        return taken
