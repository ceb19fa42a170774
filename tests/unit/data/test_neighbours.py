"""Missing numbers from the nearest training rows: scikit-learn's KNNImputer, row by row the same in any batch, kept with the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.impute import KNNImputer

from polygraft.core.errors import UserError
from polygraft.data.neighbours import FILE, Neighbours
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.preprocessor import Preprocessor
from polygraft.data.spec import TableSpec, TargetSpec

WIDE = 6
KNN = ("missing", {"fill": "knn", "neighbours": 4, "references": 10_000})


def table() -> pd.DataFrame:
    """Six numbers that hang together, a fifth of them missing; the first three rows know nothing, all others the last column."""
    chance = np.random.default_rng(0)
    values = chance.normal(size=(600, 2)) @ chance.normal(size=(2, WIDE)) + 0.1 * chance.normal(size=(600, WIDE))
    values[chance.random(values.shape) < 0.2] = np.nan
    values[:3] = np.nan
    values[3:, 5] = np.where(np.isnan(values[3:, 5]), chance.normal(size=597), values[3:, 5])
    frame = pd.DataFrame(values, columns=[f"x{j}" for j in range(WIDE)])
    return frame.assign(town=chance.choice(list("abc"), 600), y=chance.normal(size=600))


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> TableSpec:
    folder = tmp_path_factory.mktemp("knn")
    table().to_parquet(folder / "t.parquet")
    return TableSpec("t", ("t.parquet",), folder, clean=(KNN,), targets=(TargetSpec("y", ("y",), "number"),))


@pytest.fixture(scope="module")
def prepared(spec: TableSpec) -> Prepared:
    return prepare(spec, spec.folder / "cache")


def standardised(frame: pd.DataFrame, train: np.ndarray) -> np.ndarray:
    values = frame[[f"x{j}" for j in range(WIDE)]].to_numpy()
    filled = np.where(np.isnan(values), np.nanmean(values[train], 0), values)
    return (values - filled[train].mean(0)) / filled[train].std(0)


def test_it_fills_as_scikit_learn_does_from_the_training_rows(prepared: Prepared, spec: TableSpec) -> None:
    train = prepared.splits["train"]
    values = standardised(table(), train)
    expected = KNNImputer(n_neighbors=4).fit(values[train]).transform(values)
    found = prepared.matrices["numbers"]
    np.testing.assert_allclose(found[3:, :WIDE], expected[3:], atol=2e-6)
    filled = np.nan_to_num(values)
    assert np.abs(found[3:, :WIDE] - filled[3:]).max() > 0.5  # not the mean
    np.testing.assert_allclose(found[:3, :WIDE], 0, atol=1e-6)  # nothing to compare by: the mean


def test_what_is_known_keeps_its_bits_and_indicators_say_what_was_not(prepared: Prepared, spec: TableSpec) -> None:
    mean = replace(spec, clean=(("missing", {"fill": "mean"}),))
    plain = prepare(mean, spec.folder / "cache").matrices["numbers"]
    known = table()[[f"x{j}" for j in range(WIDE)]].notna().to_numpy()
    found = prepared.matrices["numbers"]
    assert np.array_equal(found[:, :WIDE][known], plain[:, :WIDE][known])
    assert np.array_equal(found[:, WIDE:], plain[:, WIDE:])
    assert not np.array_equal(found, plain)


def test_a_row_alone_has_the_bits_that_it_has_among_all_and_a_saved_model_gives_them(
    prepared: Prepared, tmp_path: Path
) -> None:
    prepared.preprocessor.save(tmp_path)
    again = Preprocessor.load(tmp_path)
    whole = again.encode(table())["numbers"]
    assert np.array_equal(whole, prepared.matrices["numbers"])
    for row in range(0, 600, 41):
        assert np.array_equal(again.encode(table().iloc[[row]])["numbers"], whole[[row]])  # type: ignore[index]
    assert (tmp_path / FILE).exists()


def test_references_are_training_rows_as_many_as_are_asked(spec: TableSpec) -> None:
    few = replace(spec, clean=(("missing", {"fill": "knn", "references": 50}),))
    made = prepare(few, spec.folder / "cache")
    kept = made.preprocessor.neighbours
    assert kept is not None
    assert kept.values.shape == kept.known.shape == (50, WIDE)
    rows = {tuple(row) for row in made.matrices["numbers"][made.splits["train"], 5:6].tolist()}
    assert {tuple(row) for row in kept.values[:, 5:6].tolist()} <= rows
    other = replace(few, seed=1)
    assert not np.array_equal(prepare(other, spec.folder / "cache").preprocessor.neighbours.values, kept.values)  # type: ignore[union-attr]


@given(data=st.data())
def test_any_rows_are_filled_as_a_plain_loop_does(data: st.DataObject) -> None:
    chance = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    rows, count, wide = (data.draw(st.integers(1, most)) for most in (8, 12, 4))
    values = chance.integers(-3, 4, (count, wide)).astype(np.float32)
    known = chance.random((count, wide)) < data.draw(st.sampled_from([0.2, 0.7, 1.0]))
    counts = chance.integers(0, 4, wide)
    numbers = chance.integers(-3, 4, (rows, wide + 1)).astype(np.float32)
    missing = chance.random((rows, wide)) < 0.5
    expected = numbers.copy()
    for i, j in zip(*np.nonzero(missing), strict=True):
        far = []
        for r in np.flatnonzero(known[:, j]):
            both = known[r] & ~missing[i]
            if both.any():
                far.append((float(np.mean((numbers[i, :wide] - values[r])[both] ** 2, dtype=np.float64)), r))
        nearest = [r for _, r in sorted(far)[: counts[j]]]
        if nearest:
            expected[i, j] = np.mean(values[nearest, j], dtype=np.float64)
    Neighbours(values, known, counts).fill(numbers, missing)
    np.testing.assert_allclose(numbers, expected, rtol=1e-6)


def test_of_equally_near_rows_the_first_stays_when_a_nearer_one_comes() -> None:
    values = np.array([[1, 10], [1, 20], [0, 30], [1, 40]], np.float32)
    row = np.array([[0, 0]], np.float32)
    Neighbours(values, np.ones_like(values, np.bool_), np.array([2, 2])).fill(row, np.array([[False, True]]))
    assert row[0, 1] == (10 + 30) / 2


def test_a_stream_refuses_it_with_the_mend(spec: TableSpec, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"'missing' looks at all training rows at once, and these are cleaned in a stream"
    ):
        prepare(replace(spec, memory=1000), tmp_path)
