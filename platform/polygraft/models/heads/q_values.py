"""Values of actions, Mnih et al. 2015 (https://doi.org/10.1038/nature14236); dueling, Wang et al. 2016 (https://arxiv.org/abs/1511.06581), equation 9."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from torch import Tensor, nn

from polygraft.core.catalogue import Range
from polygraft.core.features import Features, Offer
from polygraft.models.base import Head
from polygraft.models.heads.dense import Dense


class QValues(Head):
    """What each action is worth.

    dueling: the state's value and the actions' advantages, each from hidden layers of its own; their mean advantage is 0.
    hidden: units of each hidden layer, the first one first.
    """

    def __init__(
        self,
        offer: Offer,
        size: int,
        /,
        dueling: bool = False,
        hidden: Annotated[Sequence[int], Range(min=1)] = (),
        activation: Literal["relu", "gelu", "silu"] = "relu",
    ) -> None:
        super().__init__()
        self.size = size
        self.advantages: nn.Module = Dense(offer, size, hidden, 0.0, activation)
        self.value: nn.Module | None = Dense(offer, 1, hidden, 0.0, activation) if dueling else None

    def forward(self, features: Features, given: Tensor | None = None) -> Tensor:
        """[rows, actions]."""
        advantages: Tensor = self.advantages(features)
        if self.value is None:
            return advantages
        value: Tensor = self.value(features)
        return value + advantages - advantages.mean(-1, keepdim=True)
