"""An alignment as SVG: what was said, line by line, over what was read, column by column, each cell as dark as it was looked at."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from polygraft.report.charts import WIDTH, figure, label, number

SIDE, HEAD = 84, 28
MOST = 40
"""Lines and columns: more cannot be read."""


def alignment(title: str, lines: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float]]) -> str:
    """values [lines, columns], each from 0 to 1; names may repeat. Empty where there is nothing, or too much, to see."""
    if not lines or not columns or max(len(lines), len(columns)) > MOST:
        return ""
    cell = max(8, min(26, (WIDTH - SIDE) // len(columns)))
    marks = [
        label(SIDE + cell * (place + 0.5), HEAD - 8, name, anchor="middle", most=max(2, cell // 6))
        for place, name in enumerate(columns)
    ]
    for row, (name, weights) in enumerate(zip(lines, values, strict=True)):
        marks.append(label(SIDE - 6, HEAD + cell * (row + 0.5) + 4, name, anchor="end", most=12))
        marks += [
            _cell(SIDE + cell * place, HEAD + cell * row, cell, each, f"{name} at {columns[place]}")
            for place, each in enumerate(weights)
        ]
    looked = [columns[max(range(len(columns)), key=weights.__getitem__)] for weights in values]
    said = "; ".join(f"{name} looks most at {column}" for name, column in zip(lines, looked, strict=True))
    width = SIDE + cell * len(columns)
    return figure(title, said, marks, HEAD + cell * len(lines) + 4, width=max(width, WIDTH))


def _cell(x: float, y: float, size: float, value: float, name: str) -> str:
    shade = f'fill-opacity="{min(1.0, max(0.0, value)):.2f}"'
    box = f'x="{x}" y="{y}" width="{size - 1}" height="{size - 1}"'
    return f'<rect class="plus" {box} {shade}><title>{escape(name)}: {number(value)}</title></rect>'
