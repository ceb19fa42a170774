"""Images from a vector by transposed convolutions, Radford et al. 2016, DCGAN (https://arxiv.org/abs/1511.06434), section 3."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, cast

from torch import Tensor, nn

from polygraft.core.batch import Inputs
from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.features import Features, Offer
from polygraft.models.base import Head


class ImageDecoder(Head):
    """A small map of many channels, made larger twofold with each layer, up to the table's one image, whose pixels are the outputs.

    channels: of the map that each layer reads, the first one first; as many layers as there are numbers here. The image's
        height and width are that many times divisible by two.
    """

    def __init__(
        self, offer: Offer, size: int, inputs: Inputs, /, channels: Annotated[Sequence[int], Range(min=1)] = (64, 32)
    ) -> None:
        super().__init__()
        self.size = size
        images = inputs.of("image").others
        shape = cast("tuple[int, ...]", images[0].shape) if len(images) == 1 else (0, 0, 0)
        if math.prod(shape) != size or not size:
            raise fault("it draws the one image of a table that has no other column. Take head: dense.")
        smaller, layers = 2 ** len(channels), len(channels)
        if not channels or shape[1] % smaller or shape[2] % smaller:
            said = f"{shape[1]} x {shape[2]} pixels cannot be halved {layers} times"
            raise fault(f"channels: {said}. Give another number of channels, or head: dense.")
        self.small = (channels[0], shape[1] // smaller, shape[2] // smaller)
        self.first = nn.Linear(offer.width, math.prod(self.small))
        ends = [*channels[1:], shape[0]]
        self.layers = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
            for before, after in zip(channels, ends, strict=True)
        )

    def forward(self, features: Features, given: Tensor | None = None) -> Tensor:
        """[rows, channels x height x width]."""
        assert features.vector is not None, "an image decoder reads a vector"
        maps = self.first(features.vector).unflatten(1, self.small)
        for layer in self.layers:
            maps = layer(maps.relu())
        return maps.flatten(1)  # type: ignore[no-any-return]
