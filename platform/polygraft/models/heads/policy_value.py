"""A policy and the value of the state on shared features, Mnih et al. 2016 (https://arxiv.org/abs/1602.01783), section 4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from polygraft.core.catalogue import Range
from polygraft.core.features import Features, Offer
from polygraft.models.base import Head
from polygraft.models.heads.dense import Dense


class PolicyValue(Head):
    """A logit for each action, and last the state's value.

    hidden: units of each hidden layer, the first one first; the policy and the value each have layers of their own.
    """

    def __init__(
        self,
        offer: Offer,
        size: int,
        /,
        hidden: Annotated[Sequence[int], Range(min=1)] = (),
        activation: Literal["relu", "gelu", "silu"] = "relu",
    ) -> None:
        super().__init__()
        self.size = size
        self.policy: nn.Module = Dense(offer, size - 1, hidden, 0.0, activation)
        self.value: nn.Module = Dense(offer, 1, hidden, 0.0, activation)

    def forward(self, features: Features, given: Tensor | None = None) -> Tensor:
        """[rows, actions + 1]."""
        return torch.cat([self.policy(features), self.value(features)], -1)
