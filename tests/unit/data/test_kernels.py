"""Each kernel does what its plain numpy twin says."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from polygraft.core.kernel import cache_folder
from polygraft.core.seeding import counter
from polygraft.data.encoders.vocabulary import Vocabulary
from polygraft.data.kernels.buffers import buffers
from polygraft.data.kernels.encode import encode_codes, encode_numbers
from polygraft.data.kernels.gather import gather, shuffle
from polygraft.data.kernels.threads import threads
from polygraft.data.known import Held, quantiles, totals
from polygraft.data.plans import CategoryPlan, NumberPlan

NUMBER_TYPES = ["float64", "float32", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "bool"]


@st.composite
def number_columns(draw: st.DrawFn, rows: int | None = None, types: list[str] = NUMBER_TYPES) -> pa.ChunkedArray:
    """A column of numbers, chunked anyhow, each chunk a slice of something longer."""
    rows = draw(st.integers(0, 300)) if rows is None else rows
    name = draw(st.sampled_from(types))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    nulls = draw(st.sampled_from([0.0, 0.05, 0.5, 1.0]))
    return pa.chunked_array(list(_chunks(draw, rows, name, chance, nulls)), pa.bool_() if name == "bool" else name)


def _chunks(draw: st.DrawFn, rows: int, name: str, chance: np.random.Generator, nulls: float):  # type: ignore[no-untyped-def]
    cuts = sorted(draw(st.lists(st.integers(0, rows), max_size=4)))  # equal cuts make chunks without rows
    for first, last in zip([0, *cuts], [*cuts, rows], strict=True):
        before, after = draw(st.integers(0, 17)), draw(st.integers(0, 3))
        length = before + (last - first) + after
        array = pa.array(_values(name, length, chance), mask=chance.random(length) < nulls)
        yield array.slice(before, last - first)


def _values(name: str, length: int, chance: np.random.Generator) -> np.ndarray:
    if name == "bool":
        return chance.random(length) < 0.5
    if name.startswith("float"):
        values = chance.normal(size=length).astype(name) * 10
        values[chance.random(length) < 0.05] = np.nan
        return values
    bounds = np.iinfo(name)
    return chance.integers(max(bounds.min, -1000), min(bounds.max, 1000), length, dtype=name)


def plain(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """(float64 values, known) by the slowest road there is."""
    items = column.to_pylist()
    values = np.array([np.nan if item is None else float(item) for item in items], np.float64)
    return values, ~np.isnan(values)


finite = st.floats(-100, 100)


@st.composite
def number_plans(draw: st.DrawFn) -> NumberPlan:
    low, high = sorted((draw(finite), draw(finite)))
    bounds = draw(st.sampled_from([(low, high), (-np.inf, high), (-np.inf, np.inf)]))
    return NumberPlan("x", draw(finite), *bounds, draw(finite), draw(st.floats(0.01, 100)), draw(st.booleans()))


def encode_twin(column: pa.ChunkedArray, plan: NumberPlan) -> tuple[np.ndarray, np.ndarray]:
    values, known = plain(column)
    clipped = np.minimum(np.maximum(np.where(known, values, plan.fill), plan.low), plan.high)
    return ((clipped - plan.mean) / plan.scale).astype(np.float32), (~known).astype(np.float32)


@settings(max_examples=150)
@given(data=st.data(), rows=st.integers(0, 300), width=st.integers(1, 5))
def test_the_encoded_matrix_equals_its_twin_bit_for_bit(data: st.DataObject, rows: int, width: int) -> None:
    columns = [data.draw(number_columns(rows)) for _ in range(width)]
    plans = [data.draw(number_plans()) for _ in range(width)]
    out = encode_numbers(columns, plans, rows)
    expected = [encode_twin(column, plan) for column, plan in zip(columns, plans, strict=True)]
    wanted = [each for each, _ in expected] + [
        flag for (_, flag), plan in zip(expected, plans, strict=True) if plan.indicator
    ]
    assert_array_equal(out, np.stack(wanted, 1))


@pytest.mark.parametrize("rows", [2047, 2048, 2049, 65_536 + 5])
def test_rows_at_the_borders_of_tiles_and_threads_are_encoded_like_all(rows: int) -> None:
    chance = np.random.default_rng(rows)
    column = pa.chunked_array([pa.array(chance.normal(size=rows + 3), mask=chance.random(rows + 3) < 0.3).slice(3)])
    plan = NumberPlan("x", 0.5, -2, 2, 0.25, 3.0, True)
    value, flag = encode_twin(column, plan)
    assert_array_equal(encode_numbers([column] * 40, [plan] * 40, rows), np.stack([value] * 40 + [flag] * 40, 1))


@given(column=number_columns(), seed=st.integers(0, 1000))
def test_the_known_training_values_are_gathered_in_order(column: pa.ChunkedArray, seed: int) -> None:
    chosen = np.random.default_rng(seed).random(len(column)) < 0.6
    values, known = plain(column)
    found = Held(column, chosen)
    assert_array_equal(found.values, values[known & chosen])
    assert (found.count, found.missing) == (int((known & chosen).sum()), int((~known & chosen).sum()))
    assert found.empty == (not known.any())


def test_infinities_are_counted_in_all_rows_and_null_ones_are_not() -> None:
    column = pa.chunked_array([pa.array([1.0, np.inf, -np.inf, np.inf], mask=np.array([False, False, False, True]))])
    assert Held(column, np.array([True, False, False, True])).infinite == 2


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    rows=st.sampled_from([1, 2, 7, 1000, 32_769, 70_001]),
    levels=st.sampled_from([2, 50, 10**9]),
    fractions=st.lists(st.floats(0, 1), min_size=1, max_size=4),
)
def test_quantiles_are_exact(seed: int, rows: int, levels: int, fractions: list[float]) -> None:
    values = np.random.default_rng(seed).integers(0, levels, rows).astype(np.float64)
    assert_allclose(quantiles(values, fractions), np.quantile(values, fractions), rtol=1e-13)


@pytest.mark.parametrize("order", ["sorted", "periodic", "one value", "all but one"])
def test_quantiles_are_exact_where_a_sample_misleads(order: str) -> None:
    rows = 100_000
    values = {
        "sorted": np.arange(rows, dtype=np.float64),
        "periodic": np.arange(rows, dtype=np.float64) % 13,
        "one value": np.zeros(rows),
        "all but one": np.r_[np.zeros(rows - 1), 1e300],
    }[order]
    fractions = [0.0, 0.001, 0.01, 0.25, 0.5, 0.99, 0.99999, 1.0]
    assert_allclose(quantiles(values, fractions), np.quantile(values, fractions), rtol=1e-13)


@given(seed=st.integers(0, 1000), rows=st.integers(0, 3000), decades=st.integers(0, 12), cut=st.floats(0, 1))
def test_sums_round_to_the_exact_ones_wherever_the_values_are_cut(
    seed: int, rows: int, decades: int, cut: float
) -> None:
    chance = np.random.default_rng(seed)
    values = chance.normal(size=rows) * 10.0 ** chance.integers(-decades, decades + 1, rows)
    clipped = [Fraction(value) for value in np.clip(values, -1e3, 1e9).tolist()]
    exact = (float(sum(clipped, Fraction(0))), float(sum((value**2 for value in clipped), Fraction(0))))
    parts = [totals(each, -1e3, 1e9) for each in np.split(values, [int(cut * rows)])]
    together = [float(sum(each)) for each in zip(*parts, strict=True)]
    assert_allclose(together, exact, rtol=3e-16, atol=1e-24 * 100.0**decades)
    assert_allclose(
        [float(each) for each in totals(values, -1e3, 1e9)], together, rtol=3e-16, atol=1e-24 * 100.0**decades
    )


def test_a_column_far_from_zero_keeps_its_deviation() -> None:
    values = 1e9 + np.random.default_rng(0).normal(size=50_000)
    values[0] = -1e12  # and an outlier in the first place
    column = pa.chunked_array([pa.array(values)])
    mean, deviation = Held(column, np.ones(len(values), bool)).moments(NumberPlan("x", low=1e9 - 5, high=1e9 + 5))
    clipped = np.clip(values, 1e9 - 5, 1e9 + 5)
    assert mean == pytest.approx(clipped.mean(), rel=1e-12)
    assert deviation == pytest.approx(clipped.std(), rel=1e-6)


@given(data=st.data(), texts=st.lists(st.sampled_from("abcdef") | st.none(), max_size=60))
def test_codes_equal_their_twin(data: st.DataObject, texts: list[str | None]) -> None:
    cut, before = data.draw(st.integers(0, len(texts))), data.draw(st.integers(0, 9))
    plan = CategoryPlan("x", ("a", "c", "e"), data.draw(st.booleans()))
    dictionary = pa.array(list("fedcba"))
    chunks = []
    for part in (texts[:cut], texts[cut:]):
        indices = pa.array([0] * before + [None if text is None else "fedcba".index(text) for text in part], pa.int32())
        chunks.append(pa.DictionaryArray.from_arrays(indices, dictionary).slice(before))
    out = np.empty((len(texts), 2), np.int32)
    unknown = encode_codes(pa.chunked_array(chunks), *Vocabulary().mapping(plan, list("fedcba")), out[:, 1])
    code = {"a": 1, "c": 2, "e": 3, None: Vocabulary().mapping(plan, [])[1]}
    assert out[:, 1].tolist() == [code.get(text, 0) for text in texts]
    assert unknown == sum(text in ("b", "d", "f") for text in texts)


def permutation(rows: int, seed: int) -> np.ndarray:
    order = np.arange(rows, dtype=np.int32)
    shuffle(order, seed)
    return order


@given(rows=st.integers(0, 2000), seed=st.integers(0, 2**63 - 1))
def test_the_permutation_equals_its_twin(rows: int, seed: int) -> None:
    order, mask, state = list(range(rows)), 2**64 - 1, seed
    for i in range(rows - 1, 0, -1):
        state = (state + 0x9E3779B97F4A7C15) & mask
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
        mixed ^= mixed >> 31
        j = ((mixed >> 32) * (i + 1)) >> 32
        order[i], order[j] = order[j], order[i]
    assert permutation(rows, seed).tolist() == order


def test_every_place_of_the_permutation_is_equally_likely() -> None:
    counts = np.zeros((6, 6), np.int64)
    for i in range(12_000):
        counts[np.arange(6), permutation(6, counter(1, i))] += 1
    chi_squared = ((counts - 2000) ** 2 / 2000).sum()
    assert chi_squared < 52.6  # 25 degrees of freedom: passed by chance in 999 of 1,000


@given(width=st.integers(1, 70), count=st.integers(0, 50))
def test_gathered_rows_are_the_rows(width: int, count: int) -> None:
    chance = np.random.default_rng(width)
    source = chance.integers(0, 2**32, (200, width), dtype=np.uint32)
    index = chance.integers(0, 200, count)
    out = np.empty((count, width), np.uint32)
    gather(source, index, out)
    assert_array_equal(out, source[index])


def test_buffers_are_views_of_arrows_memory() -> None:
    array = pa.array([1.0, None, 3.0, 4.0]).slice(1)
    found = buffers(array)
    assert (found.offset, found.rows) == (1, 3)
    assert found.values.ctypes.data == array.buffers()[1].address
    assert found.validity.ctypes.data == array.buffers()[0].address
    assert not len(buffers(pa.array([1.0, 2.0])).validity)


def test_compiled_kernels_go_to_the_users_cache_when_the_install_is_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == str(tmp_path / "polygraft" / "numba")
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert Path(cache_folder() or "").is_dir()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert cache_folder() is None


@pytest.mark.parametrize(("wished", "used"), [("1", 1), ("0", 1), ("100000", None), ("", None), ("4,2", None)])
def test_threads_are_those_ray_or_the_user_allow(
    monkeypatch: pytest.MonkeyPatch, wished: str, used: int | None
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", wished)
    assert threads() == (used or len(os.sched_getaffinity(0)))
