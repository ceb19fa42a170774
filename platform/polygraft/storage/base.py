"""Store: where a run's checkpoints live. Called by EVERY rank; rank 0 writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Snapshot:
    """All that a run needs to go on as if nothing had happened.

    tensors: by part (`weights`, `optimizer`, `players`, `balancer`, `stream`), each a flat `{name: Tensor}`, written as safetensors.
    facts: plain JSON values: phase, schedule, best so far, versions, threads, shards.
    best: whether the weights are the best so far by the run's named validation metric.
    """

    step: int
    tensors: dict[str, dict[str, Tensor]]
    facts: dict[str, Any] = field(default_factory=dict)
    best: bool = False


class Store(ABC):
    """Checkpoints, newest that verifies first."""

    @abstractmethod
    def latest(self) -> Snapshot | None:
        """The newest checkpoint whose manifest verifies; None when there is none. Every rank gets the same one."""

    @abstractmethod
    def best(self) -> Snapshot | None:
        """The newest checkpoint that was marked best; None when there is none."""

    @abstractmethod
    def save(self, snapshot: Snapshot) -> None:
        """Write a checkpoint atomically, manifest last; keep the last k and the best. A rank other than 0 does nothing."""
