"""Standard late fusion by concatenation: each kind of input has a stem of its own, Ngiam et al. 2011, "Multimodal Deep Learning", section 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, cast

import torch
from torch import Tensor, nn

from polygraft.core.batch import Inputs
from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.features import Features, Offer
from polygraft.models.base import Stem


class Joined(Stem):
    """The vectors of several stems, one after the other: `columns`, and for every other kind of input the stem of its name.

    parts: settings of these stems by name, `{columns: {embedding: 8}, tokens: {width: 32}}`.
    width: null, or the width that a linear layer brings the vector to: tables that share a trunk need one and the same.
    """

    def __init__(
        self,
        make_stem: Callable[[str, Mapping[str, Any], Inputs], Stem],
        inputs: Inputs,
        /,
        parts: Mapping[str, Mapping[str, Any]] = {},
        width: Annotated[int | None, Range(min=1)] = None,
    ) -> None:
        super().__init__()
        kinds = {"columns": ("numbers", "categories")} | {each.kind: (each.kind,) for each in inputs.others}
        kinds = {name: each for name, each in kinds.items() if inputs.of(*each).kinds}
        if strange := [name for name in parts if name not in kinds]:
            raise fault(f"parts.{strange[0]}: the table has no input for it. There is {', '.join(kinds)}.")
        self.stems = nn.ModuleDict(
            {name: make_stem(name, parts.get(name, {}), inputs.of(*each)) for name, each in kinds.items()}
        )
        offers = {name: cast(Stem, stem).offer for name, stem in self.stems.items()}
        if other := [name for name, offer in offers.items() if offer.kind != "vector"]:
            raise fault(f"parts.{other[0]}: 'joined' takes a vector of each stem, not a {offers[other[0]].kind}.")
        found = sum(offer.width for offer in offers.values())
        self.project = nn.Linear(found, width) if width else nn.Identity()
        self.offer = Offer("vector", width or found)

    def forward(self, inputs: Mapping[str, Tensor]) -> Features:
        """The parts' vectors, in one [rows, width]."""
        vectors = [stem(inputs).vector for stem in self.stems.values()]
        return Features(vector=self.project(torch.cat(vectors, 1)))
