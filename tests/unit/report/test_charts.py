"""Pictures: round ticks around the numbers, marks inside the frame, gaps where nothing is known."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polygraft.report.charts import HEIGHT, WIDTH, Series, bars, heat_map, line_chart, number, thin, ticks

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False)


@given(NUMBERS, NUMBERS)
def test_ticks_embrace_the_numbers_evenly_and_are_few(one, other):
    low, high = sorted((one, other))
    found = ticks(low, high)
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert 2 <= len(found) <= 8
    steps = [b - a for a, b in pairwise(found)]
    assert max(steps) - min(steps) <= 1e-6 * max(map(abs, found))


def test_ticks_are_round():
    assert ticks(0.13, 0.79) == [0.0, 0.2, 0.4, 0.6, 0.8]
    assert ticks(50, 2000) == [0, 500, 1000, 1500, 2000]
    assert ticks(-1, 1) == [-1, -0.5, 0, 0.5, 1]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(allow_nan=True)), max_size=50))
def test_every_mark_lies_in_the_frame(points):
    drawn = line_chart("loss", [Series("late", sorted(points, key=lambda point: point[0]))])
    if not any(math.isfinite(value) for _, value in points):
        assert drawn == ""
        return
    ET.fromstring(drawn)
    assert "nan" not in drawn.partition("<svg")[2].partition(">")[2]
    for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", drawn):
        assert 0 <= float(x) <= WIDTH
        assert 0 <= float(y) <= HEIGHT


def test_what_is_not_finite_leaves_a_gap():
    drawn = line_chart("loss", [Series("late", [(1, 1.0), (2, math.nan), (3, 2.0), (4, 3.0)])])
    (path,) = re.findall(r' d="([^"]+)"', drawn)
    assert path.count("M") == 2
    assert path.count("L") == 1


def test_one_line_needs_no_legend_and_two_do():
    one = line_chart("loss", [Series("late", [(1, 1.0), (2, 2.0)])])
    two = line_chart("loss", [Series("late", [(1, 1.0)]), Series("a & b", [(1, 2.0)], 1)])
    assert "<ul>" not in one
    assert '<li><i class="c1"></i>a &amp; b</li>' in two


def test_more_lines_than_colours_are_told_apart_by_dashes():
    drawn = line_chart("x", [Series(str(i), [(1, 1.0), (2, i)], i) for i in range(10)])
    assert drawn.count("stroke-dasharray") == 2


def test_a_heat_map_is_symmetric_and_says_each_value():
    drawn = heat_map("cosines", ["a", "b"], {("a", "a"): 1.0, ("b", "b"): 1.0, ("a", "b"): -0.5})
    ET.fromstring(drawn)
    assert drawn.count(">-0.50<") == 2
    assert len(re.findall(r'class="minus".*?fill-opacity="0.38"', drawn)) == 2


def test_bars_are_ranked_with_value_and_share():
    drawn = bars("time", {"batches": 1.0, "trunk": 3.0}, unit="s")
    ET.fromstring(drawn)
    assert re.findall(r">([^<>]+ s, \d+%)<", drawn) == ["3 s, 75%", "1 s, 25%"]


@pytest.mark.parametrize(
    ("value", "text"), [(0.7654321, "0.7654"), (123456.7, "123,457"), (0.0, "0"), (math.nan, "-"), (1e-7, "1e-07")]
)
def test_number(value, text):
    assert number(value) == text


def test_thinning_keeps_the_ends():
    points = [(float(i), 0.0) for i in range(1001)]
    assert len(thin(points, 40)) == 40
    assert thin(points, 40)[0] == points[0]
    assert thin(points, 40)[-1] == points[-1]
    assert thin(points[:3], 40) == points[:3]
