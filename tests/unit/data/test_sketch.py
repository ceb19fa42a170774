"""Laws of the quantile sketch: its rank error is below its own bound, below .1 %, and it does not see how values came."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from polygraft.data.kernels.sketch import collapse
from polygraft.data.sketch import SIZE, Sketch

ROWS = 400_001
FRACTIONS = [0.0, 1e-5, 0.001, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 0.99999, 1.0]


def _sawtooth(chance: np.random.Generator) -> np.ndarray:
    """Every second value of each sorted buffer is low: what a collapse that always kept the first would get wrong."""
    values = np.arange(ROWS, dtype=np.float64)
    values[1::2] *= -1
    return values


WILD: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "normal": lambda chance: chance.normal(size=ROWS),
    "sorted": lambda chance: np.arange(ROWS, dtype=np.float64),
    "falling": lambda chance: -np.arange(ROWS, dtype=np.float64),
    "one value": lambda chance: np.full(ROWS, 7.0),
    "few values": lambda chance: chance.integers(0, 5, ROWS).astype(np.float64),
    "heavy tails": lambda chance: chance.standard_cauchy(ROWS) ** 3,
    "almost all equal": lambda chance: np.where(chance.random(ROWS) < 0.995, 0.0, chance.normal(size=ROWS)),
    "buffers in turn low and high": lambda chance: np.arange(ROWS) // SIZE % 2 * 1e6 + chance.random(ROWS),
    "zoom": lambda chance: 0.5 + np.where(np.arange(ROWS) % 2, 1, -1) / (1.0 + np.arange(ROWS)),
    "extremes": lambda chance: chance.choice([-1.7e308, -5e-324, 0.0, 5e-324, 1.7e308], ROWS),
    "sawtooth": _sawtooth,
}


def rank_error(values: np.ndarray, sketch: Sketch) -> float:
    """By how much the ranks of the sketch's quantiles are off, as a share of the values; ties count as any of their ranks."""
    ordered = np.sort(values)
    worst = 0.0
    for fraction, found in zip(FRACTIONS, sketch.quantiles(FRACTIONS), strict=True):
        wanted = fraction * (len(ordered) - 1)
        first, last = np.searchsorted(ordered, found, "left"), np.searchsorted(ordered, found, "right") - 1
        worst = max(worst, first - wanted, wanted - last)
    return worst / len(ordered)


def seen(values: np.ndarray, pieces: int) -> Sketch:
    sketch = Sketch()
    for each in np.array_split(values, pieces):
        sketch.add(each)
    return sketch


@pytest.mark.parametrize("name", WILD)
def test_ranks_are_off_by_less_than_the_stated_error_and_by_less_than_a_thousandth(name: str) -> None:
    values = WILD[name](np.random.default_rng(1))
    sketch = seen(values, 7)
    assert 0 < sketch.error < 0.001
    assert rank_error(values, sketch) <= sketch.error


@pytest.mark.parametrize("name", WILD)
@pytest.mark.parametrize("cuts", [(1,), (10, 200_000, 200_001), tuple(range(9_000, ROWS, 9_000))])
def test_merged_sketches_keep_the_stated_error(name: str, cuts: tuple[int, ...]) -> None:
    values = WILD[name](np.random.default_rng(2))
    merged = Sketch()
    for part in np.split(values, cuts):
        merged.merge(seen(part, 3))
    assert (merged.count, merged.low, merged.high) == (ROWS, values.min(), values.max())
    assert merged.error < 0.001
    assert rank_error(values, merged) <= merged.error


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), rows=st.integers(1, 60_000), pieces=st.integers(1, 40))
def test_how_the_values_came_in_arrays_does_not_show(seed: int, rows: int, pieces: int) -> None:
    values = np.random.default_rng(seed).normal(size=rows).round(3)
    one, other = seen(values, 1), seen(values, pieces)
    for mine, its in zip(one.weighted(), other.weighted(), strict=True):
        assert_array_equal(mine, its)
    assert one.quantiles(FRACTIONS) == other.quantiles(FRACTIONS)
    assert one.weighted()[1].sum() == rows


@given(seed=st.integers(0, 2**32), rows=st.integers(1, SIZE - 1), fraction=st.floats(0, 1))
def test_of_few_values_quantiles_are_exact(seed: int, rows: int, fraction: float) -> None:
    values = np.random.default_rng(seed).normal(size=rows)
    sketch = seen(values, 2)
    assert sketch.error == 0
    assert math.isclose(sketch.quantiles([fraction])[0], np.quantile(values, fraction), rel_tol=1e-12, abs_tol=1e-15)


def test_the_bound_of_a_trillion_values_is_a_thousandth_and_they_take_two_megabytes() -> None:
    levels = math.ceil(math.log2(2**40 / SIZE))  # each level's collapses are off by 1 / (4 SIZE) of all values together
    assert levels / (4 * SIZE) < 0.001
    assert levels * SIZE * 8 < 2 * 2**20


@given(seed=st.integers(0, 2**32), rows=st.integers(1, 300), second=st.integers(0, 1))
def test_a_collapse_equals_its_twin(seed: int, rows: int, second: int) -> None:
    one, other = np.sort(np.random.default_rng(seed).integers(0, 50, (2, rows)).astype(np.float64), 1)
    out = np.empty(rows)
    collapse(one, other, second, out)
    assert_array_equal(out, np.sort(np.concatenate([one, other]))[second::2])
