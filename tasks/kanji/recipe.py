"""Kanji drawn stroke by stroke: what is the radical and where, how many strokes, which layout, which parts?

Source: KanjiVG (https://kanjivg.tagaini.net, Apel 2009), read by path from the package kanjivg: SVG files of strokes in the order of
writing, in groups that say which part they are. Each is drawn by Pillow, white on black, 64 x 64 pixels.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw

REQUIRES = ("kanjivg==20260714", "pillow")

SIDE, CANVAS, PEN = 64, 109, 3  # pixels of a picture; units of the drawing, and of the pen in them
FINER = 2  # times the side that is drawn and then averaged
POINTS = 12  # of a curve
RADICALS, PARTS = 20, 28  # kanji that one is in, to be a class
SVG, KANJI = "{http://www.w3.org/2000/svg}", "{https://kanjivg.tagaini.net/}"
LAYOUTS = {
    "tare": {"tare", "tarec"},
    "nyo": {"nyo", "nyoc"},
    "kamae": {"kamae", "kamaec", "⿵A", "⿵B", "⿶1", "⿶2"},
    "left-right": {"left", "right"},
    "top-bottom": {"top", "bottom"},
}
"""What a kanji is, by where the first of its parts stand."""


@dataclass(frozen=True)
class Kanji:
    """One character: its strokes as points [n, 2], their types, and which of them the radical has."""

    character: str
    strokes: list[np.ndarray]
    types: list[str]
    radical: str
    of_radical: list[bool]
    parts: set[str]
    layout: str


def kanji() -> pa.Table:
    """The table of the suite, a row a character, in the order of code points; a rare radical is a missing label."""
    all_of_them = [read(file) for file in files()]
    radicals = frequent((each.radical for each in all_of_them), RADICALS)
    parts = frequent((part for each in all_of_them for part in each.parts), PARTS)
    known = [each.radical in radicals for each in all_of_them]
    columns = {
        "character": [each.character for each in all_of_them],
        "picture": pa.array(
            [drawn(each.strokes).reshape(-1) for each in all_of_them], pa.list_(pa.uint8(), SIDE * SIDE)
        ),
        "radical_box": [box(each) if ok else None for each, ok in zip(all_of_them, known, strict=True)],
        "radical": [[each.radical] if ok else None for each, ok in zip(all_of_them, known, strict=True)],
        "stroke_count": [len(each.strokes) for each in all_of_them],
        "layout": [each.layout for each in all_of_them],
        "strokes": [each.types for each in all_of_them],
    }
    return pa.table(columns | {part: [part in each.parts for each in all_of_them] for part in parts})


def files() -> list[Path]:
    """One file a character, without other ways to write it."""
    found = [each for each in metadata.files("kanjivg") or () if re.fullmatch(r"kanji/[0-9a-f]{5}\.svg", str(each))]
    paths = [Path(str(each.locate())) for each in found]
    return sorted(path for path in paths if is_kanji(int(path.stem, 16)))


def is_kanji(code: int) -> bool:
    """Of the unified ideographs and their first extensions."""
    return 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0xF900 <= code <= 0xFAFF or code >= 0x20000


def frequent(names: Iterable[str], least: int) -> list[str]:
    """The names that come so often, in their order."""
    return sorted(name for name, count in Counter(names).items() if count >= least)


def read(file: Path) -> Kanji:
    """One character of a file. Its radical is the one of the general list, else the traditional one."""
    text = file.read_text(encoding="utf-8")
    whole = ElementTree.fromstring(text[text.index("<svg") :]).find(f"{SVG}g/{SVG}g")
    assert whole is not None, file
    groups = list(whole.iter(f"{SVG}g"))
    radical = [each for each in groups if each.get(f"{KANJI}radical") in ("general", "tradit")]
    inside = {id(path) for group in radical for path in group.iter(f"{SVG}path")}
    paths = list(whole.iter(f"{SVG}path"))
    return Kanji(
        chr(int(file.stem, 16)),
        [points(path.get("d", "")) for path in paths],
        [path.get(f"{KANJI}type", "?").split("/")[0] for path in paths],
        radical[0].get(f"{KANJI}element", ""),
        [id(path) in inside for path in paths],
        {each.get(f"{KANJI}element") or "" for each in groups[1:]} - {""},
        layout({each.get(f"{KANJI}position") for each in whole.findall(f"{SVG}g")}),
    )


def layout(positions: set[str | None]) -> str:
    """The first of LAYOUTS that one of these positions is of; else `whole`."""
    return next((name for name, theirs in LAYOUTS.items() if positions & theirs), "whole")


def points(path: str) -> np.ndarray:
    """[n, 2] along an SVG path of the commands M m C c S s."""
    found = re.findall(r"[MmCcSs]|[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", path)
    at, mirror = np.zeros(2), np.zeros(2)
    line, command, place = [], "", 0
    while place < len(found):
        if found[place].isalpha():
            command, place = found[place], place + 1
        count = {"m": 1, "c": 3, "s": 2}[command.lower()]
        given = np.array(found[place : place + 2 * count], float).reshape(count, 2) + (at if command.islower() else 0)
        place += 2 * count
        if count == 1:
            line.append(given)
        else:
            first = given[0] if count == 3 else mirror
            line.append(curve(at, first, given[-2], given[-1]))
            mirror = 2 * given[-1] - given[-2]
        at = given[-1]
        mirror = at if count == 1 else mirror
    return np.concatenate(line)


def curve(*corners: np.ndarray) -> np.ndarray:
    """[POINTS, 2] of a cubic Bezier curve behind its start."""
    t = np.linspace(0, 1, POINTS + 1)[1:, None]
    a, b, c, d = corners
    return (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d


def drawn(strokes: list[np.ndarray]) -> np.ndarray:
    """uint8 [SIDE, SIDE]."""
    scale = SIDE * FINER / CANVAS
    image = Image.new("L", (SIDE * FINER, SIDE * FINER))
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        draw.line([tuple(point) for point in stroke * scale], fill=255, width=round(PEN * scale), joint="curve")
    return np.asarray(image.reduce(FINER))


def box(one: Kanji) -> list[float]:
    """left, top, right, bottom of the radical's strokes, in pixels of the picture."""
    mine = np.concatenate([stroke for stroke, inside in zip(one.strokes, one.of_radical, strict=True) if inside])
    corners = np.concatenate([mine.min(0) - PEN / 2, mine.max(0) + PEN / 2]) * SIDE / CANVAS
    return np.clip(corners, 0, SIDE).tolist()
