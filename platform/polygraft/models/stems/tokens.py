"""Standard bag of embedded tokens: their mean, Joulin et al. 2017 (https://arxiv.org/abs/1607.01759), figure 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from polygraft.core.batch import Inputs
from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.features import Features, Offer
from polygraft.models.base import Stem


class Tokens(Stem):
    """Each token's embedding; of every input the mean of its tokens, one after the other. A row without a token is 0.

    width: of an embedding. offers: `vector` is the mean; `sequence` keeps the tokens apart, for trunks that read them in order.
    dropout: share of the features switched off in training.
    """

    reads = ("tokens",)

    def __init__(
        self,
        inputs: Inputs,
        /,
        width: Annotated[int, Range(min=1)] = 64,
        offers: Literal["vector", "sequence"] = "vector",
        dropout: Annotated[float, Range(min=0, below=1)] = 0.0,
    ) -> None:
        super().__init__()
        self.inputs = inputs.of("tokens").others
        if not self.inputs or (offers == "sequence" and len(self.inputs) > 1):
            raise fault(f"the stem 'tokens' reads {'one text' if self.inputs else 'tokens'}; found {len(self.inputs)}.")
        self.tables = nn.ModuleList(nn.Embedding(each.size, width, padding_idx=0) for each in self.inputs)
        with torch.no_grad():
            for table in self.tables:
                nn.init.uniform_(table.weight, -(width**-0.5), width**-0.5)[0] = 0  # type: ignore[arg-type]
        self.dropout = nn.Dropout(dropout)
        self.offer = Offer(offers, width if offers == "sequence" else width * len(self.inputs))

    def forward(self, inputs: Mapping[str, Tensor]) -> Features:
        """`tokens/...` [rows, length] as a vector [rows, width], or as a sequence [rows, length, width] with its mask."""
        if self.offer.kind == "sequence":
            (each,) = self.inputs
            tokens = inputs[each.name]
            mask = inputs[each.mask] if each.masked else torch.ones_like(tokens, dtype=torch.bool)
            return Features(sequence=self.dropout(self.tables[0](tokens)), mask=mask)
        # Summed token by token, padding left out: no [rows, length, width] is made, and no bit depends on the padded length.
        found = [
            functional.embedding_bag(inputs[each.name], table.weight, mode="mean", padding_idx=0)  # type: ignore[arg-type]
            for each, table in zip(self.inputs, self.tables, strict=True)
        ]
        return Features(vector=self.dropout(torch.cat(found, 1)))
