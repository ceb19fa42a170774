"""Attention: multi-head scaled dot products, Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762), equation 1, over the real steps of a sequence."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from polygraft.models.positions import rotated


class Attention(nn.Module):
    """softmax(Q K^T / sqrt(d)) V for each head. rotary: queries and keys are turned by their positions.

    causal: a step looks at none after it. No step looks at padding; a row of padding alone looks at its first step, and is nobody's.
    """

    def __init__(self, width: int, heads: int, *, rotary: bool, causal: bool) -> None:
        super().__init__()
        self.heads, self.rotary, self.causal = heads, rotary, causal
        self.into = nn.Linear(width, 3 * width)  # Q, K and V of all heads
        self.out = nn.Linear(width, width)

    def forward(self, steps: Tensor, mask: Tensor | None) -> Tensor:
        """[rows, length, width] of steps [rows, length, width] and mask [rows, length]."""
        q, k, v = self._parts(steps)
        found = (
            scaled_dot_product_attention(q, k, v, is_causal=self.causal)
            if mask is None
            else scaled_dot_product_attention(q, k, v, attn_mask=self._seen(mask))
        )
        return self.out(found.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def maps(self, steps: Tensor, mask: Tensor) -> Tensor:
        """What `forward` weighs by, [rows, heads, length, length]: a real step's weights add to 1, padding's and those of it are 0."""
        q, k, _ = self._parts(steps)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        weights = scores.masked_fill(~self._seen(mask), -math.inf).softmax(-1)
        return weights.masked_fill(~mask[:, None, :, None], 0)

    def _parts(self, steps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, [rows, heads, length, width / heads]."""
        q, k, v = self.into(steps).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return (rotated(q), rotated(k), v) if self.rotary else (q, k, v)

    def _seen(self, mask: Tensor) -> Tensor:
        """bool [rows, 1, 1 or length, length]: whether a query looks at a key."""
        first = torch.arange(mask.shape[1], device=mask.device) == 0
        seen = (mask | (first & ~mask.any(1, keepdim=True)))[:, None, None]
        return seen & seen.new_ones(mask.shape[1], mask.shape[1]).tril() if self.causal else seen
