"""Plan: how a pretrained backbone becomes this suite's, phase by phase; without one, a single phase trains everything."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol

from torch import Tensor, nn


class Position(Protocol):
    """What a plan may know of a run: its step, its phase, and how long it waits for an improvement."""

    step: int
    phase: int
    waited: int


class Plan(ABC):
    """Phases x parameter groups x loss terms. A term is one more task for the balancer unless it says `balanced: false`."""

    @abstractmethod
    def prepare(self, network: nn.Module) -> None:
        """Once, before the first step: adapters, copies of pretrained weights."""

    @abstractmethod
    def enter_phase(self, position: Position) -> None:
        """Before each step; does something only where a phase begins."""

    @abstractmethod
    def terms(self, network: nn.Module) -> Mapping[str, Tensor]:
        """The plan's own losses at these weights, by name."""

    @abstractmethod
    def fold(self, network: nn.Module) -> None:
        """Once, after the last step: merge adapters, so that the model needs no plan."""
