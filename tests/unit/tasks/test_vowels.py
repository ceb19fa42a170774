"""The vowels keep the official split, and twelve channels that are as long as each other."""

from __future__ import annotations

from collections import Counter
from types import ModuleType


def test_the_table(vowels: ModuleType) -> None:
    table = vowels.vowels().to_pydict()
    assert Counter(table["part"]) == {"train": 270, "test": 370}
    trained = Counter(name for name, part in zip(table["speaker"], table["part"], strict=True) if part == "train")
    assert trained == {str(each): 30 for each in range(1, 10)}
    lengths = [list(map(len, table[f"c{channel}"])) for channel in range(12)]
    assert all(each == lengths[0] for each in lengths)
    assert (min(lengths[0]), max(lengths[0])) == (7, 29)


def test_a_line_by_hand(vowels: ModuleType) -> None:
    assert vowels.read("1,2.5:3,4:7\n") == ([[1, 2.5], [3, 4]], "7")
