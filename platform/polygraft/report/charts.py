"""Lines, heat maps and bars as SVG of our own: a page of them is some tens of kilobytes and needs no network and no script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 34
COLOURS = 8
MOST_POINTS, MOST_HOVERS = 400, 40
_HUGE = 1e300  # a loss that ran away is drawn at the edge


@dataclass(frozen=True)
class Series:
    """A line: its name, its points (x, y) in order of x, and the number of its colour, which its name keeps on every chart."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: int = 0


def line_chart(
    title: str, series: Sequence[Series], *, x_label: str = "step", bounds: tuple[float, float] | None = None
) -> str:
    """Lines over a common axis; points that are not finite leave a gap. bounds: of y, where they are known beforehand."""
    finite = [(x, max(-_HUGE, min(_HUGE, y))) for each in series for x, y in each.points if math.isfinite(y)]
    if not finite:
        return ""
    across = ticks(min(x for x, _ in finite), max(x for x, _ in finite))
    low, high = bounds or (min(y for _, y in finite), max(y for _, y in finite))
    upward = ticks(low, high)
    plane = Plane(across, upward)
    marks = [axes(plane, x_label), *(_line(each, plane) for each in series)]
    return figure(title, _spoken(series), marks, HEIGHT, beside=legend(series) if len(series) > 1 else "")


def heat_map(title: str, names: Sequence[str], values: Mapping[tuple[str, str], float], *, between: str = "and") -> str:
    """A matrix of values in [-1, 1]: blue above 0, red below, the surface itself at 0; each cell says its value.

    values: by (line, column); of a symmetric matrix one of both ways is enough. between: what stands between two names.
    """
    cell = max(24, min(64, (WIDTH - 96) // max(1, len(names))))
    width, height = 96 + cell * len(names), 24 + cell * len(names)
    marks = []
    for row, one in enumerate(names):
        marks.append(label(90, 24 + cell * row + cell / 2 + 4, one, anchor="end", most=14))
        marks.append(label(96 + cell * row + cell / 2, 16, one, anchor="middle", most=max(3, cell // 7)))
        for column, other in enumerate(names):
            value = values.get((one, other), values.get((other, one), math.nan))
            marks.append(_cell(96 + cell * column, 24 + cell * row, cell, value, f"{one} {between} {other}"))
    said = "; ".join(
        f"{one} {between} {other} {number(value)}" for (one, other), value in values.items() if one != other
    )
    return figure(title, said, marks, height, width=width)


def bars(title: str, values: Mapping[str, float], *, unit: str, parts: bool = True, note: str = "") -> str:
    """Horizontal bars, longest first, each with its value and, where the values are parts of one whole, its share of it.

    note: said beside the title.
    """
    ranked = sorted(values.items(), key=lambda pair: -pair[1])
    total, longest = sum(values.values()) or 1.0, max([*values.values(), 1e-12])
    marks = []
    for row, (name, value) in enumerate(ranked):
        y, length = 8 + 26 * row, max(1.0, (WIDTH - 216) * value / longest)
        hover = f"<title>{escape(name)}: {number(value)} {unit}</title>"
        marks.append(label(98, y + 13, name, anchor="end", most=15))
        marks.append(f'<rect class="c0" x="104" y="{y}" width="{length:.1f}" height="18" rx="2">{hover}</rect>')
        share = f", {value / total:.0%}" if parts else ""
        marks.append(label(110 + length, y + 13, f"{number(value)} {unit}{share}"))
    said = "; ".join(f"{name} {number(value)} {unit}" for name, value in ranked)
    return figure(title, said, marks, 16 + 26 * len(ranked), beside=remark(note))


@dataclass(frozen=True)
class Plane:
    """Where numbers lie on the drawing: the ticks of both axes span it."""

    across: Sequence[float]
    upward: Sequence[float]

    def x(self, value: float) -> float:
        """From the left edge, in units of the drawing."""
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - self.across[0]) / (self.across[-1] - self.across[0])

    def y(self, value: float) -> float:
        """From the upper edge; what lies beyond the ticks stays on the edge."""
        share = (value - self.upward[0]) / (self.upward[-1] - self.upward[0])
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(1.0, max(0.0, share)))


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers, evenly spaced, from at most `low` to at least `high`; at least two."""
    if high - low < 1e-10 * max(1.0, abs(low)):  # below that, rounding to 12 digits puts ticks on each other
        low, high = low - 0.5 * max(1e-6, abs(low)), high + 0.5 * max(1e-6, abs(high))
    raw = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * count, 12) for count in range(first, last + 1)]


def number(value: float) -> str:
    """Four significant digits, thousands apart."""
    if not math.isfinite(value):
        return "-" if math.isnan(value) else str(value)
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def thin(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most `most` of the points, evenly chosen, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(index * (len(points) - 1) / (most - 1))] for index in range(most)]


def _line(series: Series, plane: Plane) -> str:
    words, pen = [], "M"
    for x, y in thin(series.points, MOST_POINTS):
        if not math.isfinite(y):
            pen = "M"
            continue
        words.append(f"{pen}{plane.x(x):.1f} {plane.y(y):.1f}")
        pen = "L"
    dash = ' stroke-dasharray="5 3"' if series.colour >= COLOURS else ""
    path = f'<path class="l{series.colour % COLOURS}" d="{"".join(words)}"{dash}/>'
    hovers = [
        f'<circle class="c{series.colour % COLOURS}" cx="{plane.x(x):.1f}" cy="{plane.y(y):.1f}" r="3.5">'
        f"<title>{escape(series.name)}, {number(x)}: {number(y)}</title></circle>"
        for x, y in thin(series.points, MOST_HOVERS)
        if math.isfinite(y)
    ]
    return path + "".join(hovers)


def axes(plane: Plane, x_label: str) -> str:
    """Rules, their numbers, and what lies across."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for value in plane.upward:
        parts.append(
            f'<line class="rule" x1="{LEFT}" x2="{right}" y1="{plane.y(value):.1f}" y2="{plane.y(value):.1f}"/>'
        )
        parts.append(label(LEFT - 6, plane.y(value) + 4, number(value), anchor="end"))
    parts += [label(plane.x(value), bottom + 16, number(value), anchor="middle") for value in plane.across[:-1]]
    parts.append(label(right, bottom + 16, number(plane.across[-1]), anchor="end"))
    parts.append(label((LEFT + right) / 2, HEIGHT - 4, x_label, anchor="middle"))
    return "".join(parts)


def _cell(x: float, y: float, size: float, value: float, name: str) -> str:
    if not math.isfinite(value):
        return ""
    side = "plus" if value >= 0 else "minus"
    box = f'x="{x + 1}" y="{y + 1}" width="{size - 2}" height="{size - 2}"'
    drawn = f'<rect class="{side}" {box} fill-opacity="{0.75 * min(1.0, abs(value)):.2f}"><title>{escape(name)}: {number(value)}</title></rect>'
    return drawn + label(x + size / 2, y + size / 2 + 4, f"{value:.2f}", anchor="middle", kind="cell")


def label(x: float, y: float, text: str, *, anchor: str = "start", most: int = 40, kind: str = "") -> str:
    """A text inside a drawing, cut after `most` letters."""
    short = text if len(text) <= most else text[: most - 1] + "…"
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(short)}</text>'


def _spoken(series: Sequence[Series]) -> str:
    """What a screen reader says of the lines."""
    return "; ".join(
        f"{each.name} from {number(each.points[0][1])} at {number(each.points[0][0])} "
        f"to {number(each.points[-1][1])} at {number(each.points[-1][0])}"
        for each in series
        if each.points
    )


def remark(words: str) -> str:
    """Words beside a title, in a softer colour."""
    return f'<div class="soft">{escape(words)}</div>' if words else ""


def figure(
    title: str, said: str, marks: Sequence[str], height: float, *, width: float = WIDTH, beside: str = ""
) -> str:
    """A drawing under its title. said: what a screen reader says of it; beside: markup between the two."""
    return (
        f'<figure style="max-width:{width * 1.5:.0f}px"><figcaption>{escape(title)}</figcaption>{beside}'
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(f"{title}: {said}")}">'
        f"{''.join(marks)}</svg></figure>"
    )


def legend(series: Sequence[Series]) -> str:
    """Which colour is which."""
    items = "".join(f'<li><i class="c{each.colour % COLOURS}"></i>{escape(each.name)}</li>' for each in series)
    return f"<ul>{items}</ul>"
