"""Step: one update of everything that learns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from polygraft.balancing.gradients import Measured
from polygraft.data.base import Stream

if TYPE_CHECKING:
    from polygraft.training.state import State


class Step(ABC):
    """A way of learning from the next batches. Called on every rank; leaves every rank with the same bits.

    Class fact: apart - whether the first worker alone takes the steps and the others work for it, outside that promise.
    """

    apart: ClassVar[bool] = False

    @abstractmethod
    def update(self, state: State, stream: Stream) -> Measured:
        """Learn from batch `state.step`, advance it by one, and say what the gradients said.

        Raises RunFailed, with the step, the task and the rows, when a loss is no longer finite.
        """

    def end(self, state: State) -> None:  # noqa: B027 - only a step with other processes behind it has some to let go
        """Called once, after this process's last update."""
