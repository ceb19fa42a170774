"""Kanji: paths are followed as SVG says, boxes are where the radical's strokes are, and each label is what KanjiVG says of it."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest


def test_there_is_a_file_a_character(kanji: ModuleType) -> None:
    assert len(kanji.files()) == 6431


def test_paths_are_followed_whatever_is_relative(kanji: ModuleType) -> None:
    whole = kanji.points("M10,20c1,0,2,1,3,3S20,30,25,35")
    same = kanji.points("m 10 20 C 11 20 12 21 13 23 C 14 25 20 30 25 35")
    assert whole.tolist() == pytest.approx(same)
    assert whole[[0, kanji.POINTS, -1]].tolist() == [[10, 20], [13, 23], [25, 35]]
    middle = kanji.points("M0,0C0,8,8,8,8,0")[kanji.POINTS // 2]
    assert middle.tolist() == pytest.approx([4, 6])


def character(kanji: ModuleType, one: str):
    return kanji.read(next(each for each in kanji.files() if each.stem == f"{ord(one):05x}"))


def test_a_character_by_hand(kanji: ModuleType) -> None:
    rest = character(kanji, "休")  # a man, left, by a tree
    assert (rest.radical, rest.layout, len(rest.strokes)) == ("亻", "left-right", 6)
    assert rest.of_radical == [True, True, False, False, False, False]
    assert {"亻", "木"} <= rest.parts
    assert rest.types[:2] == ["㇒", "㇑"]
    left, top, right, bottom = kanji.box(rest)
    assert 0 <= left < right < 0.5 * kanji.SIDE
    assert 0 <= top < 0.3 * kanji.SIDE < 0.7 * kanji.SIDE < bottom <= kanji.SIDE
    assert (character(kanji, "二").layout, character(kanji, "道").layout) == ("top-bottom", "nyo")


def test_all_ink_of_the_radical_is_in_its_box(kanji: ModuleType) -> None:
    for one in "休道国語":
        read = character(kanji, one)
        mine = [stroke for stroke, inside in zip(read.strokes, read.of_radical, strict=True) if inside]
        rows, columns = np.nonzero(kanji.drawn(mine) > 64)
        left, top, right, bottom = kanji.box(read)
        assert left - 1 <= columns.min() < columns.max() <= right + 1
        assert top - 1 <= rows.min() < rows.max() <= bottom + 1
        assert columns.max() - columns.min() > 0.8 * (right - left) - 2
