"""Images as uint8 pixels, decoded by Pillow, drawn with the standard scores of their channels (LeCun et al. 1998, Efficient BackProp, section 4.3)."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Annotated, Literal, cast

import numpy as np
import pyarrow as pa
from PIL import Image as Pillow

from polygraft.core.batch import Input
from polygraft.core.catalogue import Range
from polygraft.core.logs import log
from polygraft.data.augmentation import Augmentation
from polygraft.data.columns import UnfitError
from polygraft.data.encoders.own_input import InputEncoder
from polygraft.data.images import Images
from polygraft.data.plans import InputPlan
from polygraft.data.ragged import Encoded

_NAMED = 5  # unreadable images whose rows are told


class Image(InputEncoder):
    """An image [channels, height, width], of bytes (PNG, JPEG ...) or of a list of pixels from 0 to 255.

    Kept as uint8, drawn as float32, each channel less its mean and over its standard deviation in the training rows. A missing
    or unreadable image is black. Files are read into such bytes by a recipe, which is run once and kept.
    stored: of pixel lists the (height, width), null a square; of files what each is resized to, null if all are alike.
    channels: 1 is grey, 3 is red, green and blue; pixel lists have channel after channel.
    unreadable: the share of images that may be unreadable; more of them end the run.
    crop: (height, width) of a window, in training anywhere, else the middle one. shift: pixels that it moves at most, each way,
        into black. mirror: whether half of the training images are mirrored, left to right.
    mixup: how much of another training image is mixed in: alpha of Zhang et al. 2018; 0 is none.
    """

    takes = ("image",)

    def __init__(
        self,
        stored: tuple[int, ...] | None = None,
        channels: Literal[1, 3] = 1,
        unreadable: Annotated[float, Range(min=0, max=1)] = 0.01,
        crop: tuple[int, ...] | None = None,
        shift: Annotated[int, Range(min=0)] = 0,
        mirror: bool = False,
        mixup: Annotated[float, Range(min=0)] = 0.0,
    ) -> None:
        self.stored, self.channels, self.unreadable = stored, channels, unreadable
        self.crop, self.shift, self.mirror, self.mixup = crop, shift, mirror, mixup

    def fit(self, name: str, column: pa.ChunkedArray, chosen: np.ndarray) -> InputPlan:
        for setting, size in (("stored", self.stored), ("crop", self.crop)):
            if size is not None and (len(size) != 2 or min(size) < 1):
                raise UnfitError(f"{setting}: two numbers from 1, [height, width], not {list(size)}.")
        pixels, _ = self._pixels(column, self.stored)
        stored = pixels.shape[2:]
        size = tuple(self.crop or stored)
        if any(part > whole for part, whole in zip(size, stored, strict=True)):
            raise UnfitError(f"crop: {list(size)} is more than the images' {list(stored)}.")
        mean, deviation = _moments(pixels, chosen)
        state = {"stored": list(stored), "mean": mean, "deviation": deviation}
        black, white = (tuple((end - at) / by for at, by in zip(mean, deviation, strict=True)) for end in (0.0, 255.0))
        moved = bool(self.shift or self.mirror or size != tuple(stored))
        shape = (self.channels, *size)
        return InputPlan(Input(f"image/{name}", "image", shape, black=black, white=white, moved=moved), state)

    def apply(self, plan: InputPlan, column: pa.ChunkedArray) -> tuple[Images, int]:
        pixels, unreadable = self._pixels(column, plan.state["stored"])
        return self.kept(plan, pixels), unreadable

    def kept(self, plan: InputPlan, array: Encoded) -> Images:
        assert isinstance(array, np.ndarray)
        _, *size = plan.input.shape
        stored = cast(tuple[int, int], tuple(plan.state["stored"]))
        augmentation = Augmentation(stored, cast(tuple[int, int], tuple(size)), self.shift, self.mirror, self.mixup)
        scale = 1 / np.array(plan.state["deviation"])
        shift = -np.array(plan.state["mean"]) * scale
        return Images(array, augmentation, scale.astype(np.float32), shift.astype(np.float32))

    def _pixels(self, column: pa.ChunkedArray, stored: Sequence[int] | None) -> tuple[np.ndarray, int]:
        """(uint8 [rows, channels, height, width], how many images could not be read)."""
        if pa.types.is_fixed_size_list(column.type):
            return self._listed(column, stored), 0
        return self._decoded(column.to_pylist(), stored)

    def _listed(self, column: pa.ChunkedArray, stored: Sequence[int] | None) -> np.ndarray:
        length = column.type.list_size
        side = math.isqrt(length // self.channels)
        high, wide = stored or (side, side)
        if high * wide * self.channels != length:
            what = f"{length} pixels are no {self.channels} x {high} x {wide}."
            raise UnfitError(f"{what} Say stored: [height, width] and channels.")
        rows = np.zeros((len(column), length), np.uint8)
        at = 0
        for chunk in column.chunks:
            valid = np.asarray(chunk.is_valid())
            flat = np.asarray(chunk.flatten()).reshape(-1, length)
            rows[at : at + len(chunk)][valid] = flat
            at += len(chunk)
        return rows.reshape(-1, self.channels, high, wide)

    def _decoded(self, images: list[bytes | None], stored: Sequence[int] | None) -> tuple[np.ndarray, int]:
        from polygraft.data.kernels.threads import each

        found = each(lambda one: self._decode(one, stored), images)
        bad = [(row, why) for row, why in enumerate(found) if isinstance(why, str)]
        told = "; ".join(f"row {row + 1:,}: {why}" for row, why in bad[:_NAMED])
        if len(bad) > self.unreadable * len(images):
            share = f"{len(bad):,} of {len(images):,} images cannot be read, more than `unreadable: {self.unreadable:g}` allows"
            raise UnfitError(f"{share}: {told}.")
        if bad:
            log().warning(f"{len(bad):,} of {len(images):,} images cannot be read and are black: {told}")
        sizes = {one.shape[1:] for one in found if isinstance(one, np.ndarray)}
        if len(sizes) > 1:
            some = ", ".join(f"{high} x {wide}" for high, wide in sorted(sizes)[:3])
            raise UnfitError(f"images differ in size: {some}. Say what they are resized to: stored: [height, width].")
        high, wide = stored or next(iter(sizes), (1, 1))
        pixels = np.zeros((len(images), self.channels, high, wide), np.uint8)
        for row, one in enumerate(found):
            if isinstance(one, np.ndarray):
                pixels[row] = one
        return pixels, len(bad)

    def _decode(self, image: bytes | None, stored: Sequence[int] | None) -> np.ndarray | str | None:
        """uint8 [channels, height, width]; why it could not be read; None where there is none."""
        if image is None:
            return None
        try:
            with Pillow.open(io.BytesIO(image)) as opened:
                made = opened.convert("L" if self.channels == 1 else "RGB")
                if stored:
                    made = made.resize((stored[1], stored[0]), Pillow.Resampling.BILINEAR)
        except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
            return str(error)
        return np.asarray(made, np.uint8).reshape(made.height, made.width, self.channels).transpose(2, 0, 1)


def _moments(pixels: np.ndarray, chosen: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel's chosen pixels, from exact counts; a constant channel has deviation 1."""
    counts = np.zeros((pixels.shape[1], 256))
    for row in np.flatnonzero(chosen):
        for channel, plane in enumerate(pixels[row]):
            counts[channel] += np.bincount(plane.reshape(-1), minlength=256)
    total = np.maximum(counts.sum(1), 1)
    values = np.arange(256.0)
    mean = counts @ values / total
    deviation = np.sqrt(np.maximum(counts @ values**2 / total - mean**2, 0))
    return mean.tolist(), np.where(deviation > 0, deviation, 1.0).tolist()
