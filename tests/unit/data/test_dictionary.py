"""Texts are numbered by first appearance and ordered by their bytes, as plain Python does it, on any number of threads."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polygraft.data import columns, dictionary
from polygraft.data.columns import UnfitError, as_category
from polygraft.data.dictionary import dictionary_of
from polygraft.data.fitting import count_levels
from polygraft.data.kernels import threads
from polygraft.data.kernels.dictionary import Numbers
from polygraft.data.kernels.order import ordered
from polygraft.data.texts import Counts, Texts, in_arrow

letters = st.characters(exclude_categories=["Cs"])
lengths = st.sampled_from([1, 7, 8, 9, 15, 16, 17, 24, 25, 40])
texts = st.one_of(
    st.text(letters, max_size=3),
    st.builds(lambda text, length: (text * length)[:length], st.text("ab\0é", min_size=1, max_size=2), lengths),
    st.builds(lambda length, end: "x" * length + end, lengths, st.sampled_from(["", "a", "b", "\0"])),
)
rows = st.lists(texts | st.none(), max_size=60)
types = st.sampled_from([pa.string(), pa.large_string()])


def twin(values: list[str | None]) -> tuple[list[int | None], list[str]]:
    """(each row's number, the texts by number), by a dict."""
    numbers: dict[str, int] = {}
    found = [None if text is None else numbers.setdefault(text, len(numbers)) for text in values]
    return found, list(numbers)


@st.composite
def chunked(draw: st.DrawFn) -> pa.ChunkedArray:
    """A column of texts, each chunk a slice of something longer, some of them empty."""
    values, type_ = draw(rows), draw(types)
    cuts = sorted(draw(st.lists(st.integers(0, len(values)), max_size=4)))
    chunks = []
    for first, last in zip([0, *cuts], [*cuts, len(values)], strict=True):
        before, after = draw(st.lists(texts | st.none(), max_size=11)), draw(rows)
        chunks.append(pa.array([*before, *values[first:last], *after], type_).slice(len(before), last - first))
    return pa.chunked_array(chunks, type_)


@given(column=chunked(), workers=st.integers(1, 4))
def test_texts_are_numbered_as_a_dict_does_it_on_any_number_of_threads(column: pa.ChunkedArray, workers: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dictionary, "_ROWS", 2)
        patch.setattr(threads, "threads", lambda: workers)
        numbers, levels = dictionary_of(column)
    for array in numbers:
        array.validate(full=True)
    found = [number for array in numbers for number in array.to_pylist()]
    assert (found, levels.to_pylist()) == twin(column.to_pylist())
    assert [len(array) for array in numbers] == [len(chunk) for chunk in column.chunks]


@given(values=st.lists(texts, max_size=60), others=st.lists(texts, max_size=60), bits=st.sampled_from([0, 1 << 32, 1]))
def test_texts_whose_hashes_collide_are_told_apart_by_their_bytes(values, others, bits: int) -> None:
    both = pa.array([*values, *others], pa.string())
    first, second = both[: len(values)], both[len(values) :]
    table, other = Numbers(np.uint64(bits)), Numbers(np.uint64(bits))
    found, more = np.empty(len(first), np.int32), np.empty(len(second), np.int32)
    table.add(first, 0, found)
    other.add(second, len(first), more)
    numbers = [*found.tolist(), *table.merge(other)[more].tolist()]
    assert (numbers, [both[row].as_py() for row in table.rows]) == twin([*values, *others])


@pytest.mark.parametrize("workers", [1, 3])
def test_a_table_grows_and_equal_tags_of_different_texts_do_no_harm(workers: int, monkeypatch) -> None:
    """Of 150,000 texts about two pairs share the 32 bits of a hash that are kept."""
    monkeypatch.setattr(threads, "threads", lambda: workers)
    chance = np.random.default_rng(0)
    drawn = chance.integers(0, 150_000, 400_000)
    plain = pc.binary_join_element_wise("the number ", pa.array(drawn).cast(pa.string()), "")
    plain = pc.if_else(pa.array(drawn % 7 == 0), None, plain)
    numbers, levels = dictionary_of(pa.chunked_array([plain]))
    wanted = plain.dictionary_encode()
    assert levels.equals(wanted.dictionary)
    assert numbers[0].equals(wanted.indices)


@pytest.mark.parametrize("least", [0, 10_000])
@given(column=chunked())
def test_a_category_is_the_same_by_our_kernel_and_by_arrow(least: int, column: pa.ChunkedArray) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_MANY", least)
        found = as_category(column)
    assert found.type == pa.dictionary(pa.int32(), pa.string())
    assert found.to_pylist() == column.to_pylist()
    assert all(chunk.dictionary.to_pylist() == twin(column.to_pylist())[1] for chunk in found.chunks)


@pytest.mark.parametrize("type_", [pa.string(), pa.large_string()])
@pytest.mark.parametrize("row", [0, 9_999, 19_999])
def test_bytes_that_are_no_text_are_refused_in_any_row(type_: pa.DataType, row: int) -> None:
    raw = [b"level"] * 20_000
    raw[row] = b"le\xffel"
    wide = pa.large_binary() if type_ == pa.large_string() else pa.binary()
    with pytest.raises(UnfitError, match=r"it holds bytes that are no UTF-8 text\."):
        as_category(pa.chunked_array([pa.array(raw, wide).view(type_)]))


@given(values=st.lists(texts, unique=True))
def test_texts_are_in_the_order_of_their_bytes(values: list[str]) -> None:
    array = pa.array([*["before"], *values], pa.string()).slice(1)
    assert [values[place] for place in ordered(array)] == sorted(values, key=str.encode)


@given(column=chunked(), seed=st.integers(0, 9))
def test_levels_are_counted_in_the_chosen_rows_as_a_counter_does_it(column: pa.ChunkedArray, seed: int) -> None:
    chosen = np.random.default_rng(seed).random(len(column)) < 0.5
    found = count_levels(as_category(column), chosen)
    wanted = Counter(text for text, kept in zip(column.to_pylist(), chosen, strict=True) if kept)
    assert found.nulls == wanted.pop(None, 0)
    assert dict(found.counts) == wanted
    assert (list(found.counts), len(found.counts)) == (list(found.counts.keys()), len(wanted))


@given(values=st.lists(texts))
def test_texts_in_arrow_are_like_any_sequence_of_them(values: list[str]) -> None:
    found = Texts(pa.array(values, pa.string()))
    assert (found, len(found), list(found), hash(found)) == (tuple(values), len(values), values, hash(tuple(values)))
    assert found == Texts(in_arrow(values))
    assert found != (*values, "more")
    assert in_arrow(found) is found.arrow
    assert found[1:] == tuple(values[1:])
    counts = np.arange(1, len(set(values)) + 1)
    different = list(dict.fromkeys(values))
    assert Counts(pa.array(different, pa.string()), counts) == dict(zip(different, counts.tolist(), strict=True))
