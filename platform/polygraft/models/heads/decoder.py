"""A recurrent decoder that looks back, Bahdanau, Cho and Bengio 2015 (https://arxiv.org/abs/1409.0473), section 3.1, with LSTM cells."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from polygraft.core.catalogue import Range
from polygraft.core.features import Features, Offer
from polygraft.models.additive import Additive
from polygraft.models.decoding import Decoding, State
from polygraft.models.padding import steps_of


class Decoder(Decoding):
    """One item after another by an LSTM, which before each looks at all steps of the sequence that it reads, and weighs them.

    It begins with the mean of the steps. A row without a step looks at nothing, and its context is 0.

    width: units of the LSTM. embedding: of an item that was said. attention: units of the additive attention.
    dropout: share of units switched off in training, of embeddings and before the output.
    """

    wants = "sequence"

    def __init__(
        self,
        offer: Offer,
        size: int,
        /,
        width: Annotated[int, Range(min=1)] = 128,
        embedding: Annotated[int, Range(min=1)] = 64,
        attention: Annotated[int, Range(min=1)] = 64,
        dropout: Annotated[float, Range(min=0, below=1)] = 0.0,
    ) -> None:
        super().__init__()
        self.size = size
        self.items = nn.Embedding(size + 1, embedding)
        self.first = nn.Linear(offer.width, 2 * width)
        self.looks = Additive(width, offer.width, attention)
        self.cell = nn.LSTMCell(embedding + offer.width, width)
        self.reads = nn.Linear(width + offer.width + embedding, width)
        self.out = nn.Linear(width, size)
        self.dropout = nn.Dropout(dropout)

    def begin(self, features: Features) -> State:
        """(h, c, the sequence, its keys, its mask)."""
        sequence, mask = steps_of(features)
        there = mask[:, :, None].to(sequence.dtype)
        mean = (sequence * there).sum(1) / there.sum(1).clamp_min(1)
        h, c = self.first(mean).tanh().chunk(2, 1)
        return h, c, sequence, self.looks.keys(sequence), mask

    def step(self, state: State, said: Tensor) -> tuple[Tensor, State, Tensor]:
        """The state before decides where to look (equation 6 there); item, context and new state what is said."""
        h, c, sequence, keys, mask = state
        item = self.dropout(self.items(said))
        context, weights = self.looks(h, keys, sequence, mask)
        h, c = self.cell(torch.cat([item, context], 1), (h, c))
        heard = self.reads(torch.cat([h, context, item], 1)).tanh()
        return self.out(self.dropout(heard)), (h, c, sequence, keys, mask), weights
