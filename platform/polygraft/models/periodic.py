"""Periodic embeddings of numbers, Gorishniy et al. 2022 (https://arxiv.org/abs/2203.05556), section 3.3, the PLR form."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Periodic(nn.Module):
    """Each number x becomes ReLU(W [sin(2 pi c x), cos(2 pi c x)] + b), frequencies c, W and b learned, for each column its own.

    numbers: columns. frequencies: of each column. each: width of a column's embedding. spread: of the first frequencies.
    """

    def __init__(self, numbers: int, *, frequencies: int = 8, each: int = 4, spread: float = 0.3) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(numbers, frequencies) * spread)
        bound = (2 * frequencies) ** -0.5
        self.weight = nn.Parameter(torch.empty(numbers, 2 * frequencies, each).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(numbers, 1, each).uniform_(-bound, bound))
        self.width = numbers * each

    def forward(self, numbers: Tensor) -> Tensor:
        """[rows, numbers] -> [rows, width]."""
        angles = 2 * math.pi * numbers.T.unsqueeze(2) * self.frequencies.unsqueeze(1)  # [numbers, rows, frequencies]
        waves = torch.cat([angles.sin(), angles.cos()], 2)
        return torch.baddbmm(self.bias, waves, self.weight).relu().transpose(0, 1).flatten(1)
