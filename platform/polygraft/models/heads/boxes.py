"""A box and logits at each place of maps, without anchors: FCOS, Tian et al. 2019 (https://arxiv.org/abs/1904.01355), section 3."""

from __future__ import annotations

import math
from typing import Annotated, cast

import torch
from torch import Tensor, nn

from polygraft.core.batch import Inputs
from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.features import Features, Offer
from polygraft.models.base import Head
from polygraft.models.convolutions import Plain, Style
from polygraft.models.places import PLACE, places

_FARTHEST = 6.0  # e^6 strides: a box of any picture; beyond, a first wild step would overflow


class Boxes(Head):
    """Convolutions that all levels share: two towers, of which one ends in logits, the other in distances to the box's four sides.

    A distance is exp of the output in strides, so that levels of any stride can share.
    layers: convolutions of each tower, with norm. width: of them, null is the maps' own.
    levels: the coarsest so many of the maps, null all. prior: what every logit says at first, so that the many places
        without an object do not drown the others (Lin et al. 2017, section 4.1).
    """

    wants = "maps"

    def __init__(
        self,
        offer: Offer,
        size: int,
        inputs: Inputs,
        /,
        layers: Annotated[int, Range(min=0)] = 1,
        width: Annotated[int | None, Range(min=1)] = None,
        levels: Annotated[int | None, Range(min=1)] = None,
        prior: Annotated[float, Range(above=0, below=1)] = 0.01,
    ) -> None:
        super().__init__()
        images = inputs.of("image").others
        if len(images) != 1:
            raise fault(f"the head 'boxes' draws on the one image of a table; found {len(images)}.")
        shape = cast("tuple[int, int, int]", images[0].shape)
        self.picture, self.levels = (shape[1], shape[2]), levels or 0
        self.size = PLACE.stop + 4 + size
        inner = width or offer.width
        ends = inner if layers else offer.width
        self.what, self.where = (_tower(offer.width, inner, layers) for _ in range(2))
        self.logits, self.sides = nn.Conv2d(ends, size, 3, padding=1), nn.Conv2d(ends, 4, 3, padding=1)
        nn.init.constant_(cast(Tensor, self.logits.bias), math.log(prior / (1 - prior)))

    def forward(self, features: Features, given: Tensor | None = None) -> Tensor:
        """[rows, places, 7 + size], as `models/places.py` has it: level by level, each line by line."""
        maps = features.maps[-self.levels :]
        assert maps, "a head of boxes reads maps"
        place = places(maps, self.picture)  # [places, 3]
        logits = torch.cat([self.logits(self.what(each)).flatten(2) for each in maps], 2).mT
        sides = torch.cat([self.sides(self.where(each)).flatten(2) for each in maps], 2).mT
        reach = sides.float().clamp(max=_FARTHEST).exp() * place[:, 2:]
        corners = torch.cat([place[:, :2] - reach[..., :2], place[:, :2] + reach[..., 2:]], 2)
        return torch.cat([place.expand(len(logits), -1, -1), corners, logits.float()], 2)


def _tower(before: int, width: int, layers: int) -> nn.Sequential:
    widths = (before, *[width] * layers)
    return nn.Sequential(*(Plain(each, width, 1, Style()) for each in widths[:layers]))
