"""Pictures of a table's columns: how their values are distributed, how much is missing, and what is missing together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from itertools import pairwise
from typing import Any

from polygraft.report.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    Plane,
    bars,
    figure,
    heat_map,
    label,
    number,
    remark,
    ticks,
)

_EPOCH = datetime(1970, 1, 1)


def column_pictures(columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """A picture for each column, as `distributions` of `check --data --json` describes them; of lists and the like words alone."""
    return [_column(each) for each in columns]


def gap_picture(gaps: Sequence[tuple[str, str, float]]) -> str:
    """Which columns are missing together, in the same rows; empty when nothing is missing. gaps: (one, other, share of rows)."""
    names = list(dict.fromkeys(one for one, _, _ in gaps))
    shares = {(one, other): share for one, other, share in gaps}
    return heat_map("Missing in the same rows, share of all", names, shares) if names else ""


def _column(about: Mapping[str, Any]) -> str:
    note = f"{about['type']}, {_percent(about['missing'])} missing{', of a sample' if about['sampled'] else ''}"
    if about["counts"]:
        return _histogram(about, note)
    if not about["levels"]:
        return figure(about["column"], note, [label(8, 20, "nothing to draw")], 32, beside=remark(note))
    others = f", {about['others']:,} rows of rarer levels" if about["others"] else ""
    return bars(about["column"], about["levels"], unit="rows", parts=False, note=note + others)


def _histogram(about: Mapping[str, Any], note: str) -> str:
    edges, counts = about["edges"], about["counts"]
    said = _moment if about["type"].startswith(("timestamp", "date")) else number
    plane = Plane((edges[0], edges[-1]), ticks(0, max(counts), 2))
    marks = [_axis(plane, said), *_bins(plane, about, said)]
    if beyond := _beyond(*about["outside"]):
        marks.append(label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, beyond, anchor="middle"))
    words = f"{note}; {sum(counts):,} values from {said(edges[0])} to {said(edges[-1])}"
    return figure(about["column"], words, marks, HEIGHT, beside=remark(note))


def _axis(plane: Plane, said: Callable[[float], str]) -> str:
    """Lines of equal counts, and the two ends of the values."""
    right, floor, parts = WIDTH - RIGHT, HEIGHT - BOTTOM, []
    for value in plane.upward:
        y = plane.y(value)
        parts.append(f'<line class="rule" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(label(LEFT - 6, y + 4, number(value), anchor="end"))
    parts.append(label(LEFT, floor + 16, said(plane.across[0])))
    parts.append(label(right, floor + 16, said(plane.across[-1]), anchor="end"))
    return "".join(parts)


def _bins(plane: Plane, about: Mapping[str, Any], said: Callable[[float], str]) -> Iterator[str]:
    for (low, high), count in zip(pairwise(about["edges"]), about["counts"], strict=True):
        x, y = plane.x(low), plane.y(count)
        hover = f"<title>{escape(said(low))} to {escape(said(high))}: {count:,}</title>"
        box = f'x="{x + 0.5:.1f}" y="{y:.1f}" width="{plane.x(high) - x - 1:.1f}" height="{HEIGHT - BOTTOM - y:.1f}"'
        yield f'<rect class="c0" {box}>{hover}</rect>'


def _beyond(below: int, above: int) -> str:
    told = [f"{count:,} {where}" for count, where in ((below, "below"), (above, "above")) if count]
    return f"not drawn: {', '.join(told)}" if told else ""


def _moment(seconds: float) -> str:
    """Seconds since 1970 as a date, with the time where it is one; years that a calendar does not have, in seconds."""
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return f"{number(seconds)} s"
    return moment.strftime("%Y-%m-%d" if moment.time() == moment.min.time() else "%Y-%m-%d %H:%M")


def _percent(share: float) -> str:
    """A share in per cent; one that is not 0 or all is not said to be."""
    if 0 < share < 0.001:
        return "below 0.1 %"
    return f"{math.floor(1000 * share) / 10:g} %"
