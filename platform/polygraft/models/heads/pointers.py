"""Pointers to positions, Vinyals, Fortunato and Jaitly 2015 (https://arxiv.org/abs/1506.03134), by a linear layer, Devlin et al. 2019 (https://arxiv.org/abs/1810.04805), section 4.2."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from polygraft.core.features import Features, Offer
from polygraft.models.base import Head
from polygraft.models.padding import steps_of


class Pointers(Head):
    """A logit a position for each of several pointers, `size` of them: where a stretch begins, and where it ends."""

    wants = "sequence"

    def __init__(self, offer: Offer, size: int, /) -> None:
        super().__init__()
        self.size = size
        self.out = nn.Linear(offer.width, size)

    def forward(self, features: Features, given: Tensor | None = None) -> Tensor:
        """[rows, length, size], -inf on padding; a row of padding alone may point at its first position, which is nobody's."""
        sequence, mask = steps_of(features)
        first = torch.arange(mask.shape[1], device=mask.device) == 0
        shown = mask | (first & ~mask.any(1, keepdim=True))
        return self.out(sequence).masked_fill(~shown[:, :, None], -math.inf)  # type: ignore[no-any-return]
