"""Step: one update of everything that learns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from polygraft.balancing.gradients import Measured
from polygraft.data.base import Stream

if TYPE_CHECKING:
    from polygraft.training.state import State


class Step(ABC):
    """A way of learning from the next batches. Called on every rank; leaves every rank with the same bits."""

    @abstractmethod
    def update(self, state: State, stream: Stream) -> Measured:
        """Learn from batch `state.step`, advance it by one, and say what the gradients said.

        Raises RunFailed, with the step, the task and the rows, when a loss is no longer finite.
        """
