"""Additive attention, Bahdanau, Cho and Bengio 2015 (https://arxiv.org/abs/1409.0473), appendix A.1.2: which steps of a sequence a query looks at."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Additive(nn.Module):
    """e_t = v . tanh(W q + U h_t), weights = softmax(e) over the real steps; what it gives is their weighted sum."""

    def __init__(self, query: int, width: int, units: int) -> None:
        super().__init__()
        self.asks, self.tells = nn.Linear(query, units, bias=False), nn.Linear(width, units)
        self.weighs = nn.Linear(units, 1, bias=False)

    def keys(self, sequence: Tensor) -> Tensor:
        """U h [rows, length, units], the same for every query."""
        return self.tells(sequence)  # type: ignore[no-any-return]

    def forward(self, query: Tensor, keys: Tensor, sequence: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(context [rows, width], weights [rows, length]) of queries [rows, query]."""
        scores = self.weighs((keys + self.asks(query)[:, None]).tanh()).squeeze(2)
        weights = masked_softmax(scores, mask)
        return torch.bmm(weights[:, None], sequence).squeeze(1), weights


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last axis where mask is True, exactly 0 elsewhere; all 0 where it is nowhere, with a finite gradient."""
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~mask, lowest).softmax(-1).masked_fill(~mask, 0)
