"""The plan of a suite without `transfer`: one phase that trains everything."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from polygraft.transfer.base import Plan, Position


class TrainEverything(Plan):
    """One phase, every parameter, no terms."""

    def prepare(self, network: nn.Module) -> None:
        """Everything is trainable as it was built."""

    def enter_phase(self, position: Position) -> None:
        """There is but one."""

    def terms(self, network: nn.Module) -> Mapping[str, Tensor]:
        """None."""
        return {}

    def fold(self, network: nn.Module) -> None:
        """Nothing to merge."""
