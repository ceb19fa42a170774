"""Stream: where a step's rows come from, on this worker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping

from torch import Tensor

from polygraft.core.batch import Batch

ShardBatches = list[dict[str, Batch]]
"""One step's rows on this worker: for each of its shards, in their order, a `{table: Batch}`."""

Act = Callable[[str, Tensor, Tensor], Tensor]
"""A policy: (table, observations [rows, numbers], chance [rows, 2] in [0, 1)) -> an action each, int64 [rows]. Tables have no use for one."""


class Stream(ABC):
    """The batches of a run. Tables are pure in (seed, step): resuming is a seek, and no order depends on the workers."""

    @abstractmethod
    def batches(self, cursor: int, act: Act | None = None) -> Iterator[ShardBatches]:
        """The batches of steps cursor, cursor + 1, ...; without end."""

    def observe(self, step: int, feedback: Mapping[str, float]) -> None:  # noqa: B027 - only streams with history listen
        """Hear what the step made of its batch (losses by task); streams with history remember it."""

    def surprised(self, table: str, shard: int, rows: Tensor, errors: Tensor) -> None:  # noqa: B027 - only replays listen
        """Hear how wrong the outputs were for these rows of a shard; a replay may prefer what surprised."""

    def counts(self) -> list[float]:
        """What this worker's shards have played, in numbers that add up over workers; none unless something is played."""
        return []

    def told(self, step: int) -> dict[str, float]:
        """What is to be logged of where the rows of the first `step` steps came from; nothing unless a stream has some."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """All history, for a checkpoint; empty for tables."""
        return {}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a saved history; strict."""
        assert not state, "a stream without history was given some"
