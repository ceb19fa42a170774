"""An encoder gives a table's rows features and was fitted on them without a label; frozen, it stands in a stem's place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from polygraft.core.features import Features, Offer
from polygraft.data.preparation import Prepared
from polygraft.models.base import Stem
from polygraft.suite.schema import Suite
from polygraft.tracking.base import Tracker


class Encoder(nn.Module, ABC):
    """Features of a table's encoded rows. All that it found out is in its state, so that it is saved.

    width: how many they are. steps: that it took to fit it; 0 where it is computed at once.
    """

    width: int
    steps: int = 0

    @abstractmethod
    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """[rows, width]."""

    @classmethod
    @abstractmethod
    def fitted(cls, suite: Suite, table: Prepared, tracker: Tracker) -> Self:
        """Fitted on the table's training rows alone, a pure function of them and the suite. tracker: hears how it gets on."""

    @classmethod
    @abstractmethod
    def restored(cls, suite: Suite, table: Prepared, state: Mapping[str, Tensor]) -> Self:
        """The one that had this state."""


class Frozen(Stem):
    """An encoder's features of a table; nothing here learns, and nothing is drawn."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False).eval()
        self.offer = Offer("vector", encoder.width)

    def forward(self, inputs: Mapping[str, Tensor]) -> Features:
        """Features [rows, width], without a graph."""
        with torch.no_grad():
            return Features(vector=self.encoder(inputs))

    def train(self, mode: bool = True) -> Self:
        """The encoder stays as it predicts: without dropout."""
        super().train(mode)
        self.encoder.eval()
        return self
