"""Alignments as pictures: names may repeat, lines and columns differ, each cell is as dark as it was looked at."""

from __future__ import annotations

import numpy as np
import pytest

from polygraft.core.exhibits import Exhibit
from polygraft.report.exhibits import drawn


def shown(lines: list[str], columns: list[str], z: list[list[float]]) -> str:
    names = {"y": np.array(lines, dtype=object), "x": np.array(columns, dtype=object)}
    return drawn(Exhibit("alignment", "copy 1", {"z": np.array(z).reshape(len(lines), len(columns)), **names}))


def test_each_line_says_where_it_looks_most() -> None:
    page = shown(["a", "a", "end"], ["a", "<b>"], [[0.9, 0.1], [0.25, 0.75], [0.0, 1.0]])
    assert page.count("<rect") == 6
    assert 'fill-opacity="0.75"><title>a at &lt;b&gt;: 0.75' in page
    assert "a looks most at a; a looks most at &lt;b&gt;; end looks most at &lt;b&gt;" in page


@pytest.mark.parametrize(("lines", "columns"), [(0, 3), (3, 0), (41, 3), (3, 41)])
def test_nothing_and_too_much_are_not_drawn(lines: int, columns: int) -> None:
    assert shown(["a"] * lines, ["b"] * columns, [[0.5] * columns] * lines) == ""
