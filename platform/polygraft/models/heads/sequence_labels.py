"""Standard tagger: one linear layer on every position of a sequence (Huang, Xu and Yu 2015, https://arxiv.org/abs/1508.01991, section 2.1)."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor, nn

from polygraft.core.catalogue import Range
from polygraft.core.features import Features, Offer
from polygraft.models.base import Head
from polygraft.models.padding import steps_of


class SequenceLabels(Head):
    """A linear map of each position to its outputs.

    dropout: share of the features switched off in training.
    """

    wants = "sequence"

    def __init__(self, offer: Offer, size: int, /, dropout: Annotated[float, Range(min=0, below=1)] = 0.0) -> None:
        super().__init__()
        self.size = size
        self.dropout, self.out = nn.Dropout(dropout), nn.Linear(offer.width, size)

    def forward(self, features: Features, given: Tensor | None = None) -> Tensor:
        """[rows, length, size]; what stands on padding means nothing."""
        return self.out(self.dropout(steps_of(features)[0]))  # type: ignore[no-any-return]
