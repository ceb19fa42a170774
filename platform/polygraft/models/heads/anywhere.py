"""Labels of what is anywhere in a picture: a score at each place, and of each label the highest, Oquab et al. 2015 (https://doi.org/10.1109/CVPR.2015.7298668)."""

from __future__ import annotations

import math
from typing import Annotated, cast

import torch
from torch import Tensor, nn

from polygraft.core.catalogue import Range
from polygraft.core.features import Features, Offer
from polygraft.models.base import Head
from polygraft.models.convolutions import Plain, Style


class Anywhere(Head):
    """Convolutions, then of each output the highest over all places: a part that is somewhere is not averaged away.

    layers: convolutions before the scores, with norm. width: of them, null is the maps' own.
    prior: what every output says at first as a probability, for labels that most rows do not have.
    sharpness: of the highest, log mean exp(s x) / s: large is the maximum, small the mean (Pinheiro and Collobert 2015, equation 4).
    """

    wants = "maps"

    def __init__(
        self,
        offer: Offer,
        size: int,
        /,
        layers: Annotated[int, Range(min=0)] = 1,
        width: Annotated[int | None, Range(min=1)] = None,
        prior: Annotated[float, Range(above=0, below=1)] = 0.5,
        sharpness: Annotated[float, Range(above=0)] = 5.0,
    ) -> None:
        super().__init__()
        self.size, self.sharpness = size, sharpness
        inner = width or offer.width
        widths = (offer.width, *[inner] * layers)
        self.tower = nn.Sequential(*(Plain(each, inner, 1, Style()) for each in widths[:layers]))
        self.out = nn.Conv2d(widths[-1], size, 1)
        nn.init.constant_(cast(Tensor, self.out.bias), math.log(prior / (1 - prior)))

    def forward(self, features: Features, given: Tensor | None = None) -> Tensor:
        """[rows, size]."""
        assert features.maps, "a head of what is anywhere reads maps"
        scores = torch.cat([self.out(self.tower(each)).flatten(2) for each in features.maps], 2)
        highest = torch.logsumexp(scores * self.sharpness, 2) - math.log(scores.shape[2])
        return highest / self.sharpness
