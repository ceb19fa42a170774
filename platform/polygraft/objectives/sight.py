"""The one image of a table as an objective's own business: its size, and a small copy that goes with its answers, to be drawn on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from polygraft.core.batch import Inputs
from polygraft.core.errors import fault

_SIDE = 64  # pixels of the small copy at most


class Picture(nn.Module):
    """size: its (height, width). small: numbers of its copy. share: pixels of the copy for one of its own, [4], of left, top, right, bottom.

    Raises UserError where there is none, or several, and where training moves what is on it.
    """

    black: Tensor
    range: Tensor

    def __init__(self, inputs: Inputs) -> None:
        super().__init__()
        images = inputs.of("image").others
        if len(images) != 1:
            raise fault(f"it looks at the one image of a table; found {len(images)}.")
        if images[0].moved:
            what = "crops, shifts or mirrors it in training, and its boxes would stay behind. Leave these settings out"
            raise fault(f"the encoder of '{images[0].name}' {what}.")
        self.name = images[0].name
        channels, *size = cast("tuple[int, int, int]", images[0].shape)
        self.size = (size[0], size[1])
        self.shape = (channels, min(size[0], _SIDE), min(size[1], _SIDE))
        self.small = channels * self.shape[1] * self.shape[2]
        down, across = self.shape[1] / size[0], self.shape[2] / size[1]
        self.share = torch.tensor([across, down, across, down])
        black, white = (
            torch.tensor(each or [other] * channels) for each, other in ((images[0].black, 0.0), (images[0].white, 1.0))
        )
        self.register_buffer("black", black[:, None, None])
        self.register_buffer("range", (white - black)[:, None, None])

    def pixels(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The small copies, from 0 (black) to 1 (white), [rows, small]."""
        light = (inputs[self.name].float() - self.black) / self.range
        return adaptive_avg_pool2d(light, self.shape[1:]).flatten(1)

    def light(self, pixels: Tensor) -> Tensor:
        """[rows, channels, height, width] of [rows, small]."""
        return pixels.unflatten(1, self.shape)
