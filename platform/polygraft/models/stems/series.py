"""Standard summaries of a series: all of it where rows are of one length, else mean and last value, Christ et al. 2018 (https://doi.org/10.1016/j.neucom.2018.03.067)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, cast

import torch
from torch import Tensor, nn

from polygraft.core.batch import Input, Inputs
from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.features import Features, Offer
from polygraft.core.padding import padded
from polygraft.models.base import Stem


class Series(Stem):
    """Every series of a row as numbers, one after the other. A missing one is 0.

    width: null, or the width that a linear layer brings the vector, or each step of the sequence, to.
    offers: `vector`, or `sequence`, which keeps the steps apart, for trunks that read them in order. Several series then go side
        by side from their first step on, as windows of one length do; the end of a shorter one is 0.
    """

    reads = ("series",)

    def __init__(
        self,
        inputs: Inputs,
        /,
        width: Annotated[int | None, Range(min=1)] = None,
        offers: Literal["vector", "sequence"] = "vector",
    ) -> None:
        super().__init__()
        self.inputs = inputs.of("series").others
        if not self.inputs:
            raise fault("the stem 'series' reads series; found 0.")
        found = sum(cast(int, each.shape[1]) if offers == "sequence" else _width(each) for each in self.inputs)
        self.project = nn.Linear(found, width) if width else nn.Identity()
        self.offer = Offer(offers, width or found)

    def forward(self, inputs: Mapping[str, Tensor]) -> Features:
        """`series/...` [rows, length, channels] as a vector [rows, width], or as a sequence with its mask."""
        if self.offer.kind == "sequence":
            masks = _side_by_side([_mask(each, inputs)[..., None] for each in self.inputs])
            # A copy: what is a slice of a larger tensor may have other bits, by its address.
            steps = _side_by_side([inputs[each.name] for each in self.inputs]).clone()
            return Features(sequence=self.project(steps), mask=masks.any(2))
        found = [_summary(each, inputs[each.name], _mask(each, inputs)) for each in self.inputs]
        return Features(vector=self.project(torch.cat(found, 1)))


def _side_by_side(parts: Sequence[Tensor]) -> Tensor:
    """[rows, longest, all channels] of parts [rows, length, channels], whose lengths may differ."""
    longest = max(part.shape[1] for part in parts)
    return torch.cat([padded(part, (longest, part.shape[2])) for part in parts], 2)


def _width(series: Input) -> int:
    length, channels = series.shape
    assert channels is not None
    return 2 * channels if length is None else length * channels


def _mask(series: Input, inputs: Mapping[str, Tensor]) -> Tensor:
    steps = inputs[series.name]
    return inputs[series.mask] if series.masked else steps.new_ones(steps.shape[:2], dtype=torch.bool)


def _summary(series: Input, steps: Tensor, mask: Tensor) -> Tensor:
    """[rows, width] of steps [rows, length, channels]; what the mask leaves out is 0 in `steps`."""
    if series.shape[0] is not None:
        return steps.flatten(1)
    count = mask.sum(1, keepdim=True)
    last = (count - 1).clamp(min=0)[..., None].expand(-1, -1, steps.shape[2])
    return torch.cat([steps.sum(1) / count.clamp(min=1), steps.gather(1, last).squeeze(1)], 1)
