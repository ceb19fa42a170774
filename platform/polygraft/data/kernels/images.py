"""The kernel that draws images: gathered, moved, mirrored, mixed and normalised in one pass over uint8 pixels."""

from __future__ import annotations

import numpy as np

from polygraft.core.kernel import kernel


@kernel
def draw_images(images, rows, moves, shares, scale, shift, out, first):  # type: ignore[no-untyped-def]
    """out[i] = or += shares[i] * (scale * window(images[rows[i]], moves[i]) + shift), channel by channel; black is outside.

    images: uint8 [any, c, H, W]; rows: int64 [n]; moves: int64 [n, 3], of the window its top and left in the image (they may
    lie outside) and whether it is mirrored; shares: float32 [n]; scale, shift: float32 [c]; out: float32 [n, c, h, w];
    first: whether `out` is written, or added to.
    """
    high, wide = images.shape[2], images.shape[3]
    rows_out, columns_out = out.shape[2], out.shape[3]
    for i in range(len(rows)):
        top, left, mirrored = moves[i, 0], moves[i, 1], moves[i, 2]
        start, stop = max(0, -left), max(0, min(columns_out, wide - left))  # columns of the window within the image
        start = min(start, stop)
        for c in range(images.shape[1]):
            factor, black = shares[i] * scale[c], shares[i] * shift[c]
            for y in range(rows_out):
                line = out[i, c, y]
                if first:
                    for x in range(columns_out):
                        line[x] = black
                else:
                    for x in range(columns_out):
                        line[x] += black
                if 0 <= top + y < high:
                    pixels = images[rows[i], c, top + y]
                    if mirrored:
                        for x in range(start, stop):
                            line[columns_out - 1 - x] += factor * np.float32(pixels[left + x])
                    else:
                        for x in range(start, stop):
                            line[x] += factor * np.float32(pixels[left + x])
