"""Standard dense head: linear layers on the shared vector, Caruana 1997 (https://doi.org/10.1023/A:1007379606734), figure 2."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from torch import Tensor, nn

from polygraft.core.catalogue import Range
from polygraft.core.features import Features, Offer
from polygraft.models import dense
from polygraft.models.base import Head


class Dense(Head):
    """A linear map to the outputs, hidden layers before it where asked.

    hidden: units of each hidden layer, the first one first; none is a linear head.
    dropout: share of units switched off in training, after each hidden layer.
    """

    def __init__(
        self,
        offer: Offer,
        size: int,
        /,
        hidden: Annotated[Sequence[int], Range(min=1)] = (),
        dropout: Annotated[float, Range(min=0, below=1)] = 0.0,
        activation: Literal["relu", "gelu", "silu"] = "relu",
    ) -> None:
        super().__init__()
        self.size = size
        widths = (offer.width, *hidden)
        self.hidden = nn.Sequential(
            *(dense.Dense(each, then, activation=activation, dropout=dropout) for each, then in pairwise(widths))
        )
        self.out = nn.Linear(widths[-1], size)

    def forward(self, features: Features, given: Tensor | None = None) -> Tensor:
        """[rows, size]."""
        vector = self.hidden(features).vector
        assert vector is not None, "a dense head reads a vector"
        return self.out(vector)  # type: ignore[no-any-return]
