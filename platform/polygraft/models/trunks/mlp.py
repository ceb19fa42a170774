"""Standard multilayer perceptron, Goodfellow, Bengio, Courville 2016, "Deep Learning" (https://www.deeplearningbook.org), chapter 6."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from torch import nn

from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.features import Offer
from polygraft.models.base import Trunk
from polygraft.models.dense import Dense


class MLP(Trunk):
    """Dense layers on a vector, a stage each.

    widths: units of each layer, the first one first.
    dropout: share of units switched off in training, after each layer.
    norm: `layer` normalises each layer's units before the activation.
    """

    def __init__(
        self,
        width: int,
        /,
        widths: Annotated[Sequence[int], Range(min=1)] = (256, 128),
        dropout: Annotated[float, Range(min=0, below=1)] = 0.0,
        norm: Literal["none", "layer"] = "none",
        activation: Literal["relu", "gelu", "silu"] = "relu",
    ) -> None:
        super().__init__()
        if not widths:
            raise fault("widths: an MLP needs at least one layer; give the units of each, e.g. [256, 128].")
        self.offers = tuple(Offer("vector", units) for units in widths)
        self.stages = nn.ModuleList(
            Dense(each, then, norm=norm == "layer", activation=activation, dropout=dropout)
            for each, then in pairwise((width, *widths))
        )

    def last_layer(self) -> nn.Linear | None:
        """The last stage's."""
        last = self.stages[-1]
        assert isinstance(last, Dense)
        return last.linear
