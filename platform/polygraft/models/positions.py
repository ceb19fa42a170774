"""Positions of a sequence's steps: learned or sinusoidal, added to the steps, Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762), section 3.5; rotary, Su et al. 2021 (https://arxiv.org/abs/2104.09864), section 3.2."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polygraft.core.errors import fault

BASE = 10_000.0


class Learned(nn.Module):
    """x_t + p_t, p_t learned for each of the first `most` positions."""

    def __init__(self, most: int, width: int) -> None:
        super().__init__()
        self.most = most
        self.table = nn.Parameter(torch.randn(most, width) * 0.02)

    def forward(self, steps: Tensor, mask: Tensor) -> Tensor:
        """[rows, length, width]. Raises UserError for a row with a step beyond the last position; padding may be there."""
        length = steps.shape[1]
        if length > self.most and (beyond := mask[:, self.most :].any(0)).any():
            longest = self.most + int(beyond.nonzero()[-1]) + 1
            raise fault(
                f"max_length: a row has {longest} steps, and {self.most} positions are learned. Take max_length: {longest}, "
                "positions: rotary or sinusoidal, or cut the rows in `encode`.",
                "backbone",
            )
        reached = self.table[:length]
        return steps + nn.functional.pad(reached, (0, 0, 0, length - len(reached)))


class Sinusoidal(nn.Module):
    """x_t + p_t, p_t the sines and cosines of t at wavelengths from 2 pi to 10,000 x 2 pi."""

    def forward(self, steps: Tensor, mask: Tensor) -> Tensor:
        """[rows, length, width]."""
        length, width = steps.shape[1:]
        angle = angles(length, -(-width // 2), like=steps)
        return steps + torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, :width]


class Unplaced(nn.Module):
    """Steps as they are: rotary positions come in where queries meet keys."""

    def forward(self, steps: Tensor, mask: Tensor) -> Tensor:
        """[rows, length, width]."""
        return steps


def angles(length: int, pairs: int, *, like: Tensor) -> Tensor:
    """[length, pairs]: position t times 10,000^(-i / pairs)."""
    frequency = BASE ** (-torch.arange(pairs, device=like.device, dtype=like.dtype) / pairs)
    return torch.arange(length, device=like.device, dtype=like.dtype)[:, None] * frequency


def rotated(each: Tensor) -> Tensor:
    """[rows, heads, length, width]: at position t the pair (x_i, x_{i + width / 2}) turned by t times its frequency.

    The product of a query and a key so turned depends on how far they are apart alone.
    """
    length, width = each.shape[-2:]
    angle = angles(length, width // 2, like=each)
    cosine, sine = angle.cos(), angle.sin()
    one, other = each.chunk(2, -1)
    return torch.cat([one * cosine - other * sine, one * sine + other * cosine], -1)
