"""Standard raw pixels: the image itself, as maps or flattened (LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition, section 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal, cast

from torch import Tensor, nn

from polygraft.core.batch import Inputs
from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.features import Features, Offer
from polygraft.models.base import Stem


class Image(Stem):
    """The one image of a row, its channels normalised.

    width: of the vector: null, or the width that a linear layer brings the pixels to.
    offers: `vector`, all pixels one after the other, or `maps`, which keeps them where they are, for trunks that read maps.
    """

    reads = ("image",)

    def __init__(
        self,
        inputs: Inputs,
        /,
        width: Annotated[int | None, Range(min=1)] = None,
        offers: Literal["vector", "maps"] = "vector",
    ) -> None:
        super().__init__()
        images = inputs.of("image").others
        if len(images) != 1:
            raise fault(f"the stem 'image' reads one image; found {len(images)}.")
        self.name, shape = images[0].name, cast("tuple[int, ...]", images[0].shape)
        pixels = math.prod(shape)
        self.project = nn.Linear(pixels, width) if width and offers == "vector" else nn.Identity()
        self.offer = Offer("maps", shape[0]) if offers == "maps" else Offer("vector", width or pixels)

    def forward(self, inputs: Mapping[str, Tensor]) -> Features:
        """`image/...` [rows, channels, height, width] as maps, or as a vector [rows, width]."""
        # A copy: a shard is a slice of a larger tensor, and a kernel may choose its path, and so its bits, by the address.
        image = inputs[self.name].clone()
        if self.offer.kind == "maps":
            return Features(maps=(image,))
        return Features(vector=self.project(image.flatten(1)))
