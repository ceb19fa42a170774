"""Convolutional blocks, plain and residual, He et al. 2016 (https://arxiv.org/abs/1512.03385), figure 2, with group norm, Wu and He 2018 (https://arxiv.org/abs/1803.08494)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from polygraft.core.errors import fault
from polygraft.models.dense import ACTIVATIONS, Activation

POOLS: dict[str, type[nn.MaxPool2d] | type[nn.AvgPool2d]] = {"max": nn.MaxPool2d, "mean": nn.AvgPool2d}


@dataclass(frozen=True)
class Style:
    """What blocks of one trunk have in common. kernel: odd, so that a map keeps its size where no stride says otherwise.

    block: `plain` is convolution, norm, activation; `residual` twice that, around which the input goes, brought to its shape.
    reduce: how a stride is taken, by the first convolution or by a pool before it.
    """

    block: Literal["plain", "residual"] = "plain"
    kernel: int = 3
    reduce: Literal["stride", "max", "mean"] = "stride"
    groups: int = 8
    activation: Activation = "relu"

    def __post_init__(self) -> None:
        if self.kernel % 2 == 0:
            raise fault(f"kernel: {self.kernel} has no middle. Take {self.kernel - 1 or 3} or {self.kernel + 1}.")

    def blocks(self, before: int, width: int, *, count: int, stride: int) -> nn.Sequential:
        """`count` blocks, the first of which takes the stride; maps [rows, before, h, w] -> [rows, width, h / stride, w / stride]."""
        kind = BLOCKS[self.block]
        pool = [POOLS[self.reduce](stride, ceil_mode=True)] if stride > 1 and self.reduce != "stride" else []
        first = 1 if pool else stride
        widths = pairwise((before, *[width] * count))
        return nn.Sequential(
            *pool, *(kind(each, then, first if i == 0 else 1, self) for i, (each, then) in enumerate(widths))
        )


class Plain(nn.Module):
    """activation(norm(conv(x))). Nothing works in place: `conv`'s output is what the `last_layer` mode differentiates by."""

    def __init__(self, before: int, width: int, stride: int, style: Style) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, width, style.kernel, stride, style.kernel // 2)
        self.norm, self.activation = group_norm(width, style.groups), ACTIVATIONS[style.activation]()

    def forward(self, maps: Tensor) -> Tensor:
        """[rows, width, h / stride, w / stride]."""
        return self.activation(self.norm(self.conv(maps)))  # type: ignore[no-any-return]

    @property
    def last(self) -> nn.Conv2d:
        """The convolution that comes last."""
        return self.conv


class Residual(nn.Module):
    """activation(norm(conv(activation(norm(conv(x))))) + x); where the shape changes, x goes through a 1 x 1 convolution with norm."""

    def __init__(self, before: int, width: int, stride: int, style: Style) -> None:
        super().__init__()
        self.first = Plain(before, width, stride, style)
        self.conv = nn.Conv2d(width, width, style.kernel, padding=style.kernel // 2)
        self.norm, self.activation = group_norm(width, style.groups), ACTIVATIONS[style.activation]()
        same = before == width and stride == 1
        around = (nn.Conv2d(before, width, 1, stride), group_norm(width, style.groups))
        self.around = nn.Identity() if same else nn.Sequential(*around)

    def forward(self, maps: Tensor) -> Tensor:
        """[rows, width, h / stride, w / stride]."""
        return self.activation(self.norm(self.conv(self.first(maps))) + self.around(maps))  # type: ignore[no-any-return]

    @property
    def last(self) -> nn.Conv2d:
        """The convolution that comes last."""
        return self.conv


BLOCKS: dict[str, type[Plain] | type[Residual]] = {"plain": Plain, "residual": Residual}


def group_norm(width: int, groups: int) -> nn.GroupNorm:
    """Of at most `groups` groups, of two channels at least where there are two: alone, the one pixel of a small map is always 0."""
    most = min(groups, max(width // 2, 1))
    return nn.GroupNorm(next(count for count in range(most, 0, -1) if width % count == 0), width)


def strides_of(strides: list[int], widths: list[int]) -> list[int]:
    """A stride for each stage: those given, else 1 and then 2. Raises UserError where there are more or fewer than stages."""
    if not widths:
        raise fault(
            "widths: a trunk of convolutions needs at least one stage; give the channels of each, e.g. [32, 64]."
        )
    found = strides or [1, *[2] * (len(widths) - 1)]
    if len(found) != len(widths):
        raise fault(
            f"strides: {len(found)} for {len(widths)} stages. Give one for each of widths, or leave strides out."
        )
    return found
