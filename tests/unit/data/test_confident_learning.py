"""Confident learning against the paper's sets, counted one row at a time; planted noise is found; folds never see their rows."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polygraft.data.confident_learning import confident_joint, joint, suspects, thresholds
from polygraft.data.out_of_fold import matrix, out_of_fold


@st.composite
def predictions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities out of few values, so that ties and thresholds met exactly are common."""
    classes, rows = draw(st.integers(2, 4)), draw(st.integers(1, 24))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    parts = chance.multinomial(8, np.full(classes, 1 / classes), rows)
    return chance.integers(0, classes, rows), parts / 8


def by_the_paper(labels: np.ndarray, probabilities: np.ndarray) -> tuple[list[list[int]], set[int]]:
    """Equations 1 to 3 and method 4 in exact fractions, with the two differences that `suspects` states."""
    n, m = probabilities.shape
    p = [[Fraction(value) for value in row] for row in probabilities.tolist()]
    labelled = [[x for x in range(n) if labels[x] == i] for i in range(m)]
    t = [sum(p[x][j] for x in labelled[j]) / len(labelled[j]) if labelled[j] else Fraction(2) for j in range(m)]
    counts = [[0] * m for _ in range(m)]
    for x in range(n):
        above = [j for j in range(m) if p[x][j] >= t[j]]
        if above:
            counts[labels[x]][max(above, key=lambda j: (p[x][j], -j))] += 1
    found = set()
    for i in range(m):
        for j in range(m):
            if i != j and sum(counts[i]):
                wanted = round(Fraction(counts[i][j], sum(counts[i])) * len(labelled[i]))
                worst = sorted(labelled[i], key=lambda x: (p[x][i] - p[x][j], x))[:wanted]
                found |= {x for x in worst if p[x][j] > p[x][i]}
    return counts, found


@settings(max_examples=300)
@given(case=predictions())
def test_the_confident_joint_and_the_suspects_are_the_papers(case: tuple[np.ndarray, np.ndarray]) -> None:
    counts, found = by_the_paper(*case)
    assert confident_joint(*case).tolist() == counts
    assert set(np.flatnonzero(suspects(*case)).tolist()) == found


@given(case=predictions())
def test_each_line_of_the_joint_sums_to_the_rows_of_its_label(case: tuple[np.ndarray, np.ndarray]) -> None:
    assert joint(*case).sum(1) == pytest.approx(np.bincount(case[0], minlength=case[1].shape[1]))


@given(case=predictions(), seed=st.integers(0, 2**32))
def test_the_names_of_the_classes_do_not_matter(case: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    labels, probabilities = case
    order = np.random.default_rng(seed).permutation(probabilities.shape[1])
    other = thresholds(np.argsort(order)[labels], probabilities[:, order])
    assert other == pytest.approx(thresholds(labels, probabilities)[order])


def noisy(rows: int = 1_500) -> tuple[dict[str, pa.ChunkedArray], np.ndarray, np.ndarray]:
    """Columns of every readable type that tell three classes apart, labels of which 10 % are another's, and which ones."""
    chance = np.random.default_rng(4)
    truth = chance.integers(0, 3, rows)
    towns = np.array(["Ulm", "Graz", "Bern"], object)[np.where(chance.random(rows) < 0.9, truth, 0)]
    columns = {
        "x": pa.array(np.where(chance.random(rows) < 0.05, np.nan, truth + chance.normal(0, 0.3, rows))),
        "town": pa.array(towns, pa.string()).dictionary_encode(),
        "day": pa.array(np.datetime64("2024-01-01", "s") + (truth == 1) * np.timedelta64(9, "D")),
        "flag": pa.array(truth == 2),
        "tags": pa.array([["a"]] * rows),
        "gone": pa.array([None] * rows, pa.float64()),
    }
    flipped = chance.random(rows) < 0.1
    labels = np.where(flipped, (truth + chance.integers(1, 3, rows)) % 3, truth)
    return {name: pa.chunked_array([column]) for name, column in columns.items()}, labels, flipped


def test_nine_of_ten_flipped_labels_are_found_and_nine_of_ten_found_were_flipped() -> None:
    columns, labels, flipped = noisy()
    probabilities = out_of_fold(columns, labels, seed=1)
    assert np.array_equal(probabilities, out_of_fold(columns, labels, seed=1))
    assert probabilities.sum(1) == pytest.approx(1)
    found = suspects(labels, probabilities)
    both = (found & flipped).sum()
    assert both / found.sum() > 0.9, "precision"
    assert both / flipped.sum() > 0.9, "recall"


def test_no_row_is_seen_by_the_model_that_judges_it() -> None:
    labels = np.random.default_rng(0).integers(0, 2, 1_000)
    answer = {"number": pa.chunked_array([pa.array(np.arange(1_000.0))])}  # a model that saw a row would know it
    said = out_of_fold(answer, labels, seed=0).argmax(1)
    assert 0.4 < (said == labels).mean() < 0.6


def test_a_class_of_one_row_and_a_table_without_readable_columns_are_no_trouble() -> None:
    labels = np.r_[np.zeros(50, np.int64), 1]
    nothing = {"tags": pa.chunked_array([pa.array([["a"]] * 51)])}
    assert out_of_fold(nothing, labels, seed=0)[-1].tolist() == [1, 0]
    values, categorical = matrix(nothing)
    assert (values.shape, categorical.tolist()) == ((51, 1), [False])


def test_levels_beyond_what_trees_take_and_infinities_are_missing() -> None:
    texts = [f"{i:03}" for i in range(300)] + ["299", None]
    values, categorical = matrix(
        {"t": pa.chunked_array([pa.array(texts)]), "x": pa.chunked_array([pa.array([np.inf] * 302)])}
    )
    assert categorical.tolist() == [True, False]
    assert (values[299, 0], values[300, 0], values[0, 0]) == (0, 0, 1)
    assert np.isnan(values[[298, 301], 0]).all()
    assert np.isnan(values[:, 1]).all()
