"""Columns as one vector: embeddings of categories, Guo and Berkhahn 2016 (https://arxiv.org/abs/1604.06737), beside the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from polygraft.core.batch import Inputs
from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.features import Features, Offer
from polygraft.models.base import Stem
from polygraft.models.embeddings import Embeddings
from polygraft.models.periodic import Periodic


class Columns(Stem):
    """A table's numbers and the embeddings of its categories, one after the other.

    numbers: `plain` takes them as encoded; `periodic` adds sines and cosines of learned frequencies (Gorishniy et al. 2022).
    embedding: width of every category's embedding; null chooses it by the column's levels, min(32, 1.6 levels^.56) as a power of 2.
    dropout: share of the features switched off in training.
    width: null, or the width that a linear layer brings the vector to: tables that share a trunk need one and the same.
    """

    reads = ("numbers", "categories")

    def __init__(
        self,
        inputs: Inputs,
        /,
        numbers: Literal["plain", "periodic"] = "plain",
        embedding: Annotated[int | None, Range(min=1)] = None,
        dropout: Annotated[float, Range(min=0, below=1)] = 0.0,
        width: Annotated[int | None, Range(min=1)] = None,
    ) -> None:
        super().__init__()
        if not inputs.numbers and not inputs.categories:
            raise fault("the table has no columns left to learn from: every one is a target, dropped or empty.")
        self.embeddings = Embeddings(inputs.categories, embedding) if inputs.categories else None
        self.periodic = Periodic(inputs.numbers) if inputs.numbers and numbers == "periodic" else None
        self.plain = inputs.numbers
        found = self.plain + sum(part.width for part in (self.embeddings, self.periodic) if part is not None)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(found, width) if width else nn.Identity()
        self.offer = Offer("vector", width or found)

    def forward(self, inputs: Mapping[str, Tensor]) -> Features:
        """`numbers` [rows, n] and `categories` [rows, m] as a vector [rows, width]."""
        parts = [inputs["numbers"]] if self.plain else []
        if self.periodic is not None:
            parts.append(self.periodic(inputs["numbers"]))
        if self.embeddings is not None:
            parts.append(self.embeddings(inputs["categories"]))
        # A copy even of one part: a shard is a slice of a larger tensor, and BLAS may choose its path, and so its bits, by the address.
        vector = torch.cat(parts, 1)
        return Features(vector=self.project(self.dropout(vector)))
