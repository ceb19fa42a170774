"""Elsewhere: the stream of a process that learns from what others drew and played."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from polygraft.data.base import Act, ShardBatches, Stream

COUNTS = 4
"""Numbers of an environment in `Stream.counts`: steps, episodes, the sum of the last returns, of how many."""


class Elsewhere(Stream):
    """It has no batches, and knows what it was told. environments: the names of the tables that are played."""

    def __init__(self, environments: Sequence[str]) -> None:
        self.environments = tuple(environments)
        self._counts: dict[int, Sequence[float]] = {}  # by source, the last ones
        self._stale: list[int] = []

    def batches(self, cursor: int, act: Act | None = None) -> Iterator[ShardBatches]:
        """None."""
        raise AssertionError("rows are drawn elsewhere")

    def counts(self) -> list[float]:
        """Of all sources together."""
        none = [(0.0,) * COUNTS * len(self.environments)]
        return [float(each) for each in np.sum([*self._counts.values(), *none], 0)]

    def heard(self, source: int, staleness: int, counts: Sequence[float]) -> None:
        """A gradient came. staleness: updates between the parameters that it was taken at and its own. counts: of that source."""
        self._stale.append(staleness)
        self._counts[source] = counts

    def told(self, step: int) -> dict[str, float]:
        """How stale gradients were since it was last asked, and what was played."""
        stale, self._stale = self._stale, []
        found = (
            {"asynchronous/staleness": float(np.mean(stale)), "asynchronous/staleness_most": float(max(stale))}
            if stale
            else {}
        )
        return found | played_words(self.environments, self.counts())


def played_words(environments: Sequence[str], counts: Sequence[float]) -> dict[str, float]:
    """For the history: of each environment the steps played, the episodes finished and the mean return of the last ones."""
    found: dict[str, float] = {}
    for at, table in enumerate(environments):
        plays, episodes, returns, known = counts[at * COUNTS : (at + 1) * COUNTS]
        found |= {f"environment/{table}/steps": plays, f"environment/{table}/episodes": episodes}
        found |= {f"environment/{table}/return": returns / known} if known else {}
    return found
