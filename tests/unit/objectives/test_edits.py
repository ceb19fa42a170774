"""Edit distances against hand-worked cases and the recurrence written out; error rates of whole sequences."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polygraft.objectives.items import Items, errors
from polygraft.objectives.metrics.edits import edit_distances


def padded(rows: list[list[int]]) -> np.ndarray:
    length = max([len(row) for row in rows], default=0)
    return np.array([row + [0] * (length - len(row)) for row in rows], np.int64).reshape(len(rows), length)


def recurrence(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Levenshtein's distance as it is defined."""

    @cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        swap = distance(i - 1, j - 1) + (one[i - 1] != other[j - 1])
        return min(swap, distance(i - 1, j) + 1, distance(i, j - 1) + 1)

    return distance(len(one), len(other))


@pytest.mark.parametrize(
    ("said", "wanted", "edits"),
    [("kitten", "sitting", 3), ("flaw", "lawn", 2), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("ab", "ba", 2)],
)
def test_hand_worked_distances(said, wanted, edits):
    one, other = (padded([[ord(letter) for letter in word], [1]]) for word in (said, wanted))
    assert edit_distances(one, other).tolist() == [edits, 0]


SEQUENCES = st.lists(st.lists(st.integers(1, 3), max_size=6), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(said=SEQUENCES, wanted=SEQUENCES)
def test_distances_are_those_of_the_recurrence(said, wanted):
    rows = min(len(said), len(wanted))
    found = edit_distances(padded(said[:rows]), padded(wanted[:rows]))
    assert found.tolist() == [recurrence(tuple(a), tuple(b)) for a, b in zip(said, wanted, strict=False)]


def test_rates_are_over_all_items_and_over_rows():
    said = torch.tensor([[2, 3, 4], [2, 0, 0], [5, 5, 0]])
    wanted = torch.tensor([[2, 3, 4, 0], [2, 3, 4, 5], [5, 5, 0, 0]])
    found = errors(said, wanted, torch.ones(3))
    assert found == pytest.approx({"error_rate": 3 / 9, "wrong": 1 / 3, "accuracy": 6 / 9})
    assert errors(said, wanted, torch.tensor([1.0, 0.5, 1.0]))["error_rate"] == pytest.approx(1.5 / 7)


def test_an_item_that_is_not_known_is_one_that_is_missed():
    found = errors(torch.tensor([[2, 3]]), torch.tensor([[2, 1]]), torch.ones(1))
    assert found == {"error_rate": 0.5, "wrong": 1.0, "accuracy": 0.5}


def test_rows_without_an_item_have_no_rate():
    assert errors(torch.tensor([[2]]), torch.tensor([[0]]), torch.ones(1)) == {"wrong": 1.0}


def test_codes_are_told_as_texts():
    codes = torch.tensor([[2, 1, 3, 0], [0, 0, 0, 0]]).float()
    assert Items(("HH", "AY")).texts(codes).tolist() == ["HH ? AY", ""]
    assert Items(("h", "i"), join="").texts(codes[:1]).tolist() == ["h?i"]
