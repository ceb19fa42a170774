"""Convolutional network, LeCun et al. 1998 (https://doi.org/10.1109/5.726791), its blocks plain or residual, He et al. 2016 (https://arxiv.org/abs/1512.03385)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, cast

from torch import nn

from polygraft.core.catalogue import Range
from polygraft.core.features import Features, Offer
from polygraft.models.base import Trunk
from polygraft.models.convolutions import Plain, Residual, Style, strides_of


class CNN(Trunk):
    """Convolutions on maps; the last stage gives their means over all pixels, too, as a vector.

    widths: channels of each stage, the first one first.
    strides: how many times smaller each stage makes the maps; none given is 1 for the first, 2 for the others.
    blocks: of a stage. block: `plain` is convolution, norm, activation; `residual` two of them and a way around (He et al. 2016).
    reduce: whether a convolution takes the stride, or a pool before it, its maximum or mean.
    groups: of group norm at most; it takes the largest number that divides a width. Batch norm would couple rows.
    """

    wants = "maps"

    def __init__(
        self,
        offer: Offer,
        /,
        widths: Annotated[Sequence[int], Range(min=1)] = (32, 64),
        strides: Annotated[Sequence[int], Range(min=1)] = (),
        blocks: Annotated[int, Range(min=1)] = 1,
        block: Literal["plain", "residual"] = "plain",
        kernel: Annotated[int, Range(min=1)] = 3,
        reduce: Literal["stride", "max", "mean"] = "stride",
        groups: Annotated[int, Range(min=1)] = 8,
        activation: Literal["relu", "gelu", "silu"] = "relu",
    ) -> None:
        super().__init__()
        style = Style(block, kernel, reduce, groups, activation)
        steps = zip((offer.width, *widths), widths, strides_of([*strides], [*widths]), strict=False)
        self.stages = nn.ModuleList(
            _Stage(style.blocks(before, width, count=blocks, stride=stride)) for before, width, stride in steps
        )
        cast(_Stage, self.stages[-1]).pools = True
        offers = [Offer("maps", width) for width in widths]
        self.offers = (*offers[:-1], offers[-1].summed_up())

    def last_layer(self) -> nn.Conv2d | None:
        """The last block's last."""
        return cast(Plain | Residual, cast(_Stage, self.stages[-1]).blocks[-1]).last


class _Stage(nn.Module):
    """pools: whether it gives the maps' means beside them."""

    pools = False

    def __init__(self, blocks: nn.Sequential) -> None:
        super().__init__()
        self.blocks = blocks

    def forward(self, features: Features) -> Features:
        """The coarsest maps that come, [rows, before, h, w], as [rows, width, h / stride, w / stride]."""
        maps = self.blocks(features.maps[-1])
        return Features(vector=maps.mean((2, 3)) if self.pools else None, maps=(maps,))
