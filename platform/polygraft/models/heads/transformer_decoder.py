"""A decoder of attention alone, Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762), section 3.1, with norms before the layers, Xiong et al. 2020 (https://arxiv.org/abs/2002.04745)."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor, nn

from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.features import Features, Offer
from polygraft.models.additive import masked_softmax
from polygraft.models.attention import Attention
from polygraft.models.decoding import BEGIN, Decoding, State, said
from polygraft.models.padding import steps_of
from polygraft.models.positions import Sinusoidal


class TransformerDecoder(Decoding):
    """Blocks of attention to the items before, then to the steps of the sequence that it reads, then a dense layer; positions are sinusoidal.

    In training all items are read at once. Where it reads its own words, these are of a first pass in which it read the true ones (Mihaylova and
    Martins 2019, https://arxiv.org/abs/1906.07651, algorithm 1).

    layers, heads: blocks, and heads of each. width: units of an item. hidden: units between the two dense layers, null is 4 x width.
    dropout: share of units switched off in training, of what each layer adds.
    """

    wants = "sequence"

    def __init__(
        self,
        offer: Offer,
        size: int,
        /,
        layers: Annotated[int, Range(min=1)] = 2,
        heads: Annotated[int, Range(min=1)] = 4,
        width: Annotated[int, Range(min=1)] = 128,
        hidden: Annotated[int | None, Range(min=1)] = None,
        dropout: Annotated[float, Range(min=0, below=1)] = 0.0,
    ) -> None:
        super().__init__()
        if width % heads:
            raise fault(
                f"heads: {heads} do not divide a width of {width}. Take width: {max(width // heads, 1) * heads}."
            )
        self.size, self.scale = size, math.sqrt(width)
        self.items, self.places = nn.Embedding(size + 1, width), Sinusoidal()
        nn.init.normal_(self.items.weight, std=width**-0.5)
        self.reads = nn.Linear(offer.width, width)
        self.blocks = nn.ModuleList(_Block(width, heads, hidden or 4 * width, dropout) for _ in range(layers))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, size)

    def begin(self, features: Features) -> State:
        """(the sequence at its own width, its mask, the items said so far: none)."""
        sequence, mask = steps_of(features)
        return self.reads(sequence), mask, torch.empty((len(mask), 0), dtype=torch.long, device=mask.device)

    def step(self, state: State, said: Tensor) -> tuple[Tensor, State, Tensor]:
        """All items so far are read again: of the few that a sequence has, none is worth remembering."""
        sequence, mask, before = state
        given = torch.cat([before, said[:, None]], 1)
        logits, maps = self._all(sequence, mask, given)
        return logits[:, -1], (sequence, mask, given), maps[-1][:, :, -1].mean(1)

    def run(self, features: Features, given: Tensor | None) -> tuple[Tensor, Tensor]:
        """All items at once; where each looked is the mean of the last block's heads."""
        sequence, mask, _ = self.begin(features)
        given = torch.full_like(mask[:, :1], BEGIN, dtype=torch.long) if given is None else given.long()
        if bool((given < 0).any()):
            given = self._own(sequence, mask, given)
        logits, maps = self._all(sequence, mask, given)
        return logits, maps[-1].mean(1)

    def maps(self, features: Features, given: Tensor) -> list[Tensor]:
        """Of each block where each item looked, by head: [rows, heads, items, length]."""
        sequence, mask, _ = self.begin(features)
        return self._all(sequence, mask, given.long())[1]

    @torch.no_grad()
    def _own(self, sequence: Tensor, mask: Tensor, given: Tensor) -> Tensor:
        """Its own words where it should read them, of one pass in training, in evaluation one after the other."""
        own, found = given < 0, torch.where(given < 0, ~given, given)
        passes = 1 if self.training else given.shape[1]
        for _ in range(passes):
            told = said(self._all(sequence, mask, found)[0].argmax(2))
            found = torch.where(own, nn.functional.pad(told, (1, -1), value=BEGIN), given)
        return found

    def _all(self, sequence: Tensor, mask: Tensor, given: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(logits [rows, items, size], each block's maps [rows, heads, items, length])."""
        x = self.places(self.items(given) * self.scale, torch.ones_like(given, dtype=torch.bool))
        maps = []
        for block in self.blocks:
            x, looked = block(x, sequence, mask)
            maps.append(looked)
        return self.out(self.norm(x)), maps


class _Block(nn.Module):
    """x + attention(norm(x)), x + look(norm(x)), x + dense(norm(x))."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.before_attention, self.before_look, self.before_dense = (nn.LayerNorm(width) for _ in range(3))
        self.attention = Attention(width, heads, rotary=False, causal=True)
        self.look = _Look(width, heads)
        self.dense = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, sequence: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(x [rows, items, width], where the heads looked [rows, heads, items, length])."""
        x = x + self.dropout(self.attention(self.before_attention(x), None))
        seen, maps = self.look(self.before_look(x), sequence, mask)
        x = x + self.dropout(seen)
        return x + self.dropout(self.dense(self.before_dense(x))), maps


class _Look(nn.Module):
    """Attention of items to the steps of another sequence; a row without a step sees nothing."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.asks, self.tells, self.out = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)

    def forward(self, items: Tensor, sequence: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """([rows, items, width], weights [rows, heads, items, length])."""
        q = self.asks(items).unflatten(2, (self.heads, -1)).transpose(1, 2)
        k, v = self.tells(sequence).unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = masked_softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[3]), mask[:, None, None])
        return self.out((weights @ v).transpose(1, 2).flatten(2)), weights
