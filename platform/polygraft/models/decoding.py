"""Decoders: heads that say one item after another (Sutskever, Vinyals and Le 2014, https://arxiv.org/abs/1409.3215), and what they may read of the target."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from polygraft.core.features import Features
from polygraft.models.base import Head

State = tuple[Tensor, ...]
"""All that a decoder knows between two items; the first axis of each is rows."""
BEGIN, END = 0, 0
"""The code that stands before the first item; the class of the end."""


class Decoding(Head):
    """Says a sequence of items from what it reads of another.

    What it reads are codes: 0 before the first item, 1 an item that is not known, then the levels from 2 on. What it says are logits of
    classes: 0 is the end, then the levels from 1 on: a class is its code less 1, and nothing unknown is ever said.
    """

    @abstractmethod
    def begin(self, features: Features) -> State:
        """What is known before the first item."""

    @abstractmethod
    def step(self, state: State, said: Tensor) -> tuple[Tensor, State, Tensor]:
        """(logits [rows, size] of the next item, what is known then, where it looked [rows, length]). said: codes [rows], the item before."""

    def forward(self, features: Features, given: Tensor | None = None) -> Tensor:
        """Logits [rows, items, size] of each item, once those before it were said.

        given: codes [rows, items] of the items before, the first BEGIN; ~code, which is negative, where it reads the likeliest of what it said
            itself in place of that. Absent, the first item alone.
        """
        return self.run(features, given)[0]

    def attention(self, features: Features, given: Tensor) -> Tensor:
        """Where each item looked, [rows, items, length]: weights that add to 1, and 0 on padding."""
        return self.run(features, given)[1]

    def run(self, features: Features, given: Tensor | None) -> tuple[Tensor, Tensor]:
        """(logits [rows, items, size], where each item looked [rows, items, length])."""
        state = self.begin(features)
        given = state[0].new_full((len(state[0]), 1), BEGIN, dtype=torch.long) if given is None else given.long()
        own = torch.full_like(given[:, 0], BEGIN)
        logits, looked = [], []
        for codes in given.unbind(1):
            found, state, weights = self.step(state, torch.where(codes < 0, own, codes))
            own = said(found.detach().argmax(1))
            logits.append(found)
            looked.append(weights)
        return torch.stack(logits, 1), torch.stack(looked, 1)


def said(classes: Tensor) -> Tensor:
    """Codes of classes: the end reads as what stands before the first item."""
    return torch.where(classes == END, BEGIN, classes + 1)


def shifted(codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What a decoder is given, what it should say, and where that counts, [rows, length + 1] each, of codes [rows, length].

    Given are the items before, what it should say are the classes of the items and then the end. Padding and items that are not known
    do not count; they are given all the same.
    """
    given = torch.nn.functional.pad(codes, (1, 0), value=BEGIN).long()
    after = torch.nn.functional.pad(codes, (0, 1)).long()
    places = torch.arange(after.shape[1], device=codes.device)
    counts = (places <= (codes != 0).sum(1, keepdim=True)) & (after != 1)
    return given, (after - 1).clamp(min=END), counts
