"""Exhibits drawn: curves, heat maps, clouds of points, and grids of small pictures, which are one PNG of our own."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable, Mapping

import numpy as np

from polygraft.core.exhibits import Exhibit
from polygraft.report.alignments import alignment
from polygraft.report.charts import HEIGHT, WIDTH, Plane, Series, axes, figure, heat_map, legend, line_chart, ticks

MOST_LEVELS = 20
"""Of a heat map: more cannot be read."""


def drawn(exhibit: Exhibit) -> str:
    """The picture; empty for a kind that is not drawn, or where there is nothing to see."""
    draw = KINDS.get(exhibit.kind)
    return draw(exhibit) if draw else ""


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of uint8 [height, width] (grey) or [height, width, 3]."""
    height, width = pixels.shape[:2]
    lines = np.concatenate(
        [np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], 1
    )  # 0: each line is not filtered
    head = struct.pack(">IIBBBBB", width, height, 8, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def tiles(pixels: np.ndarray) -> np.ndarray:
    """uint8 [lines, columns, channels, height, width] as one picture, a white line between any two."""
    lines, columns, channels, height, width = pixels.shape
    whole = np.full((lines, height + 1, columns, width + 1, channels), 255, np.uint8)
    whole[:, :height, :, :width] = pixels.transpose(0, 3, 1, 4, 2)
    flat = whole.reshape(lines * (height + 1), columns * (width + 1), channels)[:-1, :-1]
    return flat if channels == 3 else flat[:, :, 0]


def _curve(exhibit: Exhibit) -> str:
    points = list(zip(exhibit.arrays["x"].tolist(), exhibit.arrays["y"].tolist(), strict=True))
    return line_chart(exhibit.title, [Series(exhibit.words.get("y", ""), points)], x_label=exhibit.words.get("x", ""))


def _heatmap(exhibit: Exhibit) -> str:
    names, values = [str(each) for each in exhibit.arrays["y"]], exhibit.arrays["z"]
    if len(names) > MOST_LEVELS:
        return ""
    cells = {(one, other): float(values[i, j]) for i, one in enumerate(names) for j, other in enumerate(names)}
    return heat_map(exhibit.title, names, cells, between="taken for")


def _alignment(exhibit: Exhibit) -> str:
    lines, columns = ([str(each) for each in exhibit.arrays[axis]] for axis in ("y", "x"))
    return alignment(exhibit.title, lines, columns, exhibit.arrays["z"].tolist())


def _scatter(exhibit: Exhibit) -> str:
    """Each group is one path of dots, so that 2,000 of them stay small."""
    x, y = exhibit.arrays["x"].astype(float), exhibit.arrays["y"].astype(float)
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return ""
    plane = Plane(ticks(x[known].min(), x[known].max()), ticks(y[known].min(), y[known].max()))
    groups = exhibit.arrays.get("group", np.full(len(x), "", dtype=object))
    marks, named = [axes(plane, exhibit.words.get("x", ""))], []
    for colour, group in enumerate(dict.fromkeys(groups.tolist())):
        mine = known & (groups == group)
        dots = "".join(f"M{plane.x(a):.1f} {plane.y(b):.1f}h0" for a, b in zip(x[mine], y[mine], strict=True))
        style = 'stroke-linecap="round" stroke-opacity="0.5" style="stroke-width:3"'
        marks.append(f'<path class="l{colour}" d="{dots}" {style}/>')
        named.append(Series(str(group), (), colour))
    said = f"{exhibit.words.get('y', '')} over {exhibit.words.get('x', '')}, {int(known.sum())} points"
    return figure(exhibit.title, said, marks, HEIGHT, beside=legend(named) if len(named) > 1 else "")


def _images(exhibit: Exhibit) -> str:
    picture = tiles(exhibit.arrays["pixels"])
    high, wide = picture.shape[:2]
    height = WIDTH * high / wide
    data = base64.b64encode(png(picture)).decode()
    place = f'width="{WIDTH}" height="{height:.0f}" style="image-rendering:pixelated"'
    lines, columns = exhibit.arrays["pixels"].shape[:2]
    said = f"{lines} lines of {columns} pictures"
    return figure(exhibit.title, said, [f'<image href="data:image/png;base64,{data}" {place}/>'], height)


KINDS: Mapping[str, Callable[[Exhibit], str]] = {
    "curve": _curve,
    "heatmap": _heatmap,
    "alignment": _alignment,
    "scatter": _scatter,
    "images": _images,
}
"""How each kind is drawn."""
