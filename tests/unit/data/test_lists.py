"""The list encoder: what a plain loop over the lists says, or a refusal that names the row."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polygraft.data.columns import UnfitError, conform
from polygraft.data.encoders.list import List
from polygraft.data.ragged import Ragged

NUMBERS = st.none() | st.floats(-1e6, 1e6, width=32) | st.just(math.nan) | st.integers(-99, 99).map(float)
LEVELS = st.none() | st.sampled_from(["", "a", "b", "ä", "b b", "x" * 1000])


@st.composite
def columns(draw: st.DrawFn, items: st.SearchStrategy, type_: pa.DataType) -> tuple[list, pa.ChunkedArray]:
    """Lists as Python has them, and as an Arrow column in any chunks of any list type."""
    rows = draw(st.lists(st.none() | st.lists(items, max_size=9), min_size=1, max_size=20))
    kind = draw(st.sampled_from([pa.list_, pa.large_list]))(type_)
    cut = draw(st.integers(0, len(rows)))
    chunks = [pa.array([[], *part, None], kind).slice(1, len(part)) for part in (rows[:cut], rows[cut:])]
    return rows, pa.chunked_array(chunks, kind)


def encoded(encoder: List, column: pa.ChunkedArray, chosen: np.ndarray) -> tuple[list[np.ndarray], int, List]:
    """Each row's values, how many rows were unknown, and the plan's state."""
    conformed = conform(column, "list")
    plan = encoder.fit("c", conformed, chosen)
    found, unknown = encoder.apply(plan, conformed)
    assert isinstance(found, Ragged)
    return [found.row(row) for row in range(len(found))], unknown, plan


@given(made=columns(NUMBERS, pa.float64()), data=st.data())
def test_numbers_are_standardised_over_the_items_of_the_training_rows(made, data) -> None:
    rows, column = made
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))))
    found, unknown, plan = encoded(List(), column, chosen)
    known = [
        x for row, train in zip(rows, chosen, strict=True) if train for x in row or [] if not (x is None or x != x)
    ]
    mean, scale = (float(np.mean(known)), float(np.std(known))) if known else (0.0, 0.0)
    scale = scale if scale > 1e-12 * abs(mean) else 1.0
    longest = max([1, *(len(row or []) for row, train in zip(rows, chosen, strict=True) if train)])
    assert plan.input.length == longest
    assert unknown == 0
    for row, values in zip(rows, found, strict=True):
        wanted = [0.0 if x is None or x != x else (x - mean) / scale for x in (row or [])[:longest]]
        np.testing.assert_allclose(values[:, 0], wanted, rtol=1e-5, atol=1e-5)


@given(made=columns(LEVELS, pa.string()), data=st.data(), most=st.none() | st.integers(1, 3))
def test_levels_have_codes_and_what_training_did_not_know_is_counted(made, data, most) -> None:
    rows, column = made
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))))
    found, unknown, plan = encoded(List(max_levels=most, max_length=5), column, chosen)
    training = [x for row, train in zip(rows, chosen, strict=True) if train for x in row or [] if x is not None]
    frequent = sorted(set(training), key=lambda level: (-training.count(level), level))[:most]
    codes = {level: i + 2 for i, level in enumerate(sorted(frequent))}
    assert plan.input.size == 2 + len(codes)
    for row, values in zip(rows, found, strict=True):
        assert values.tolist() == [codes.get(x, 1) for x in (row or [])[:5]]
    assert unknown == sum(any(x is not None and x not in codes for x in row or []) for row in rows)


def test_lists_of_one_length_are_an_array_and_a_missing_one_is_zero() -> None:
    column = conform(pa.chunked_array([pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int16(), 2))]), "list")
    encoder = List(length=2)
    plan = encoder.fit("c", column, np.ones(3, bool))
    found, _ = encoder.apply(plan, column)
    assert isinstance(found, np.ndarray)
    assert plan.input.shape == (2, 1)
    assert not plan.input.masked
    np.testing.assert_allclose(
        found[..., 0], (np.array([[1, 2], [2.5, 2.5], [3, 4]]) - 2.5) / np.std([1, 2, 3, 4]), 1e-6
    )
    with pytest.raises(UnfitError, match="the list in row 2 has 3 items, and length is 2"):
        encoder.apply(plan, conform(pa.chunked_array([pa.array([[1, 2], [1, 2, 3]])]), "list"))


def test_whole_numbers_may_be_levels() -> None:
    column = conform(pa.chunked_array([pa.array([[7, 10], [7], None])]), "list")
    encoder = List(of="levels")
    plan = encoder.fit("c", column, np.ones(3, bool))
    assert plan.state == {"levels": ["10", "7"]}
    found, _ = encoder.apply(plan, column)
    assert isinstance(found, Ragged)
    assert found.values.tolist() == [3, 2, 3]


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (pa.array([[[1.0]]]), "no lists of numbers or texts"),
        (pa.array([{"a": 1}]), "no lists of numbers or texts"),
        (pa.array([1.0]), "no lists of numbers or texts"),
        (pa.array(["[1, 2]"]), "no lists of numbers or texts"),
        (pa.array([[b"a"]]), "no lists of numbers or texts"),
        (pa.ListArray.from_arrays([0, 1], pa.array([b"\xff"]).view(pa.string())), "not valid UTF-8"),
    ],
)
def test_what_is_no_list_is_refused(column, what) -> None:
    with pytest.raises(UnfitError, match=what):
        conform(pa.chunked_array([column]), "list")


@pytest.mark.parametrize("bad", [math.inf, -math.inf, 1e300])
def test_infinity_is_refused_with_its_row(bad: float) -> None:
    encoder = List()
    fine = conform(pa.chunked_array([pa.array([[1.0, 2.0]])]), "list")
    plan = encoder.fit("c", fine, np.ones(1, bool))
    worse = conform(pa.chunked_array([pa.array([[1.0], [], [2.0, bad]])]), "list")
    with pytest.raises(UnfitError, match="in the list of row 3 is infinite, or too large"):
        encoder.apply(plan, worse)
    if math.isinf(bad):
        with pytest.raises(UnfitError, match="infinite"):
            encoder.fit("c", worse, np.ones(3, bool))


@given(data=st.data())
def test_stretches_that_overlap_are_the_lists_that_they_spell_out(data) -> None:
    items = data.draw(st.lists(st.none() | st.floats(-9, 9, width=32), min_size=1, max_size=12))
    pairs = data.draw(st.lists(st.tuples(*[st.integers(0, len(items))] * 2).map(sorted), min_size=1, max_size=12))
    valid = data.draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    kind = data.draw(st.sampled_from([pa.ListViewArray, pa.LargeListViewArray]))
    integer = pa.int32() if kind is pa.ListViewArray else pa.int64()
    starts, lengths = (pa.array(each, integer) for each in zip(*((a, b - a) for a, b in pairs), strict=True))
    views = kind.from_arrays(
        starts, lengths, pa.array(items, pa.float32()), mask=pa.array([not each for each in valid])
    )
    cut = data.draw(st.integers(0, len(pairs)))
    column = pa.chunked_array([views.slice(0, cut), views.slice(cut)])
    spelled = pa.chunked_array([pa.array(column.to_pylist(), pa.list_(pa.float64()))])
    encoder = List()
    plan = encoder.fit("c", conform(spelled, "list"), np.ones(len(pairs), bool))
    one, two = (encoder.apply(plan, conform(each, "list"))[0] for each in (spelled, column))
    assert isinstance(one, Ragged)
    assert isinstance(two, Ragged)
    assert all(np.array_equal(one.row(row), two.row(row)) for row in range(len(pairs)))


def test_each_code_of_a_level_says_what_it_stands_for() -> None:
    column = pa.chunked_array([pa.array([["b", "a"], ["c"]], pa.large_list(pa.large_string()))])
    encoder = List()
    plan = encoder.fit("t", column, np.ones(2, bool))
    rows, _ = encoder.apply(plan, column)
    assert [encoder.words(plan)[code] for code in rows.values] == ["b", "a", "c"]
    numbers = pa.chunked_array([pa.array([[1.0]], pa.large_list(pa.float64()))])
    assert encoder.words(encoder.fit("n", numbers, np.ones(1, bool))) == []
