"""Feature pyramid network, Lin et al. 2017 (https://arxiv.org/abs/1612.03144), section 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from torch import nn
from torch.nn.functional import interpolate

from polygraft.core.catalogue import Range
from polygraft.core.features import Features, Offer
from polygraft.models.base import Trunk
from polygraft.models.convolutions import Style, strides_of


class FeaturePyramid(Trunk):
    """Maps of several levels, all of one width: stages of convolutions go up, and what is coarse comes down and is added to what is fine.

    P_i = smooth_i(m_i), m_i = lateral_i(C_i) + m_{i+1}, enlarged to the size of C_i; C_i is what stage i gives, finest first. The last
    stage, which comes down, also gives the mean over all levels of their means over all pixels, as a vector.

    widths: channels of each stage on the way up. width: channels of every level of the pyramid.
    strides: how many times smaller each stage makes the maps; none given is 1 for the first, 2 for the others.
    blocks, block, kernel, reduce, groups, activation: of the stages on the way up, as `cnn` has them.
    """

    wants = "maps"

    def __init__(
        self,
        offer: Offer,
        /,
        widths: Annotated[Sequence[int], Range(min=1)] = (32, 64, 128),
        width: Annotated[int, Range(min=1)] = 64,
        strides: Annotated[Sequence[int], Range(min=1)] = (),
        blocks: Annotated[int, Range(min=1)] = 1,
        block: Literal["plain", "residual"] = "residual",
        kernel: Annotated[int, Range(min=1)] = 3,
        reduce: Literal["stride", "max", "mean"] = "stride",
        groups: Annotated[int, Range(min=1)] = 8,
        activation: Literal["relu", "gelu", "silu"] = "relu",
    ) -> None:
        super().__init__()
        style = Style(block, kernel, reduce, groups, activation)
        steps = zip((offer.width, *widths), widths, strides_of([*strides], [*widths]), strict=False)
        up = [
            _Up(style.blocks(before, then, count=blocks, stride=stride), lowest=number == 0)
            for number, (before, then, stride) in enumerate(steps)
        ]
        self.stages = nn.ModuleList([*up, _Down([*widths], width)])
        self.offers = (*(Offer("maps", each) for each in widths), Offer("maps", width).summed_up())

    def last_layer(self) -> nn.Module | None:
        """None: each level has one of its own."""
        return None


class _Up(nn.Module):
    """One level more, coarser than those before it. lowest: what comes is the image itself, which is no level."""

    def __init__(self, blocks: nn.Sequential, lowest: bool) -> None:
        super().__init__()
        self.blocks, self.lowest = blocks, lowest

    def forward(self, features: Features) -> Features:
        """The levels before it, and its own [rows, width, h / stride, w / stride]."""
        before = () if self.lowest else features.maps
        return Features(maps=(*before, self.blocks(features.maps[-1])))


class _Down(nn.Module):
    """All levels of one width, each knowing the coarser ones."""

    def __init__(self, widths: list[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(each, width, 1) for each in widths)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in widths)

    def forward(self, features: Features) -> Features:
        """Levels [rows, width_i, h_i, w_i] as [rows, width, h_i, w_i], and a vector [rows, width]."""
        lateral = [layer(maps) for layer, maps in zip(self.lateral, features.maps, strict=True)]
        merged = [lateral.pop()]
        for finer in reversed(lateral):
            merged.append(finer + interpolate(merged[-1], finer.shape[2:], mode="nearest"))
        maps = tuple(layer(each) for layer, each in zip(self.smooth, reversed(merged), strict=True))
        return Features(vector=torch.stack([each.mean((2, 3)) for each in maps]).mean(0), maps=maps)
