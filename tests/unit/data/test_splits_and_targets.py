"""Splits part every row once, by what they say they go by; targets keep what is missing missing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polygraft.data.spec import SplitSpec, TargetSpec
from polygraft.data.splits import TEST, TRAINING, VALIDATION, _ranked, split, uniform
from polygraft.data.target import Target
from polygraft.data.targets import encode_labels, read_labels, split_faults, target_of


@given(rows=st.integers(10, 500), seed=st.integers(0, 99), test=st.floats(0, 0.5), validation=st.floats(0, 0.4))
def test_a_random_split_meets_its_shares(rows: int, seed: int, test: float, validation: float) -> None:
    parts = split(SplitSpec(test=test, validation=validation), rows, None, seed)
    assert abs((parts == TEST).sum() - rows * test) <= 1
    assert abs((parts == VALIDATION).sum() - rows * validation) <= 1
    assert (parts == split(SplitSpec(test=test, validation=validation), rows, None, seed)).all()


def test_neither_share_moves_the_others_rows() -> None:
    first = split(SplitSpec(test=0.2, validation=0.1), 1000, None, 5)
    second = split(SplitSpec(test=0.2, validation=0.3), 1000, None, 5)
    assert ((first == TEST) == (second == TEST)).all()
    assert (second[first == VALIDATION] == VALIDATION).all()
    assert (first != split(SplitSpec(test=0.2, validation=0.1), 1000, None, 6)).any()


def test_places_are_evenly_spread() -> None:
    places = uniform(3, np.arange(100_000, dtype=np.uint64))
    counts = np.histogram(places, 100, (0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 149  # 99 degrees of freedom: passed in 999 of 1,000
    assert abs(np.corrcoef(places[:-1], places[1:])[0, 1]) < 0.01


@given(seed=st.integers(0, 99), groups=st.lists(st.sampled_from("abcdefgh") | st.none(), min_size=1, max_size=80))
def test_a_group_stays_together(seed: int, groups: list[str | None]) -> None:
    parts = split(
        SplitSpec(by="group", column="g"), len(groups), pa.chunked_array([pa.array(groups, pa.string())]), seed
    )
    for group in set(groups):
        assert len({part for part, each in zip(parts, groups, strict=True) if each == group}) == 1


def test_the_last_rows_are_the_test_and_ties_stay_together() -> None:
    times = pa.chunked_array([pa.array([5, 1, 2, 2, 3]), pa.array([4, 9, 8, 8, 7])])
    parts = split(SplitSpec(by="time", column="t", test=0.2, validation=0.2), 10, times, 0)
    #      5  1  2  2  3  4  9  8  8  7; sorted 1 2 2 3 4 5 | 7 8 | 8 9, and the tie goes with its first
    assert parts.tolist() == [0, 0, 0, 0, 0, 0, TEST, VALIDATION, VALIDATION, VALIDATION]


def test_a_column_may_say_the_parts() -> None:
    column = pa.chunked_array([pa.array(["a", "b", "c", None, "a", "b"])])
    parts = split(SplitSpec(by="column", column="p", validation="b", test=("c",)), 6, column, 0)
    assert parts.tolist() == [TRAINING, VALIDATION, TEST, TRAINING, TRAINING, VALIDATION]
    flags = pa.chunked_array([pa.array([True, False] * 50)])
    parts = split(SplitSpec(by="column", column="p", validation=0.2, test=True), 100, flags, 0)
    assert (parts == TEST).tolist() == [True, False] * 50
    assert (parts == VALIDATION).sum() == 10
    years = pa.chunked_array([pa.array([94, 95, 95, 94])])
    parts = split(SplitSpec(by="column", column="p", validation=0, test=95), 4, years, 0)
    assert parts.tolist() == [TRAINING, TEST, TEST, TRAINING]


def labels(kind: str, *columns: list[object]):  # type: ignore[no-untyped-def]
    names = tuple("xyz"[: len(columns)])
    table = pa.table({name: pa.array(column) for name, column in zip(names, columns, strict=True)})
    return read_labels(TargetSpec("task", names, kind), table)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "levels", "codes", "present"),
    [
        (["b", None, "a", "b"], ("a", "b"), [1, 0, 0, 1], [True, False, True, True]),
        ([10, 9, None, 10], ("9", "10"), [1, 0, 0, 1], [True, True, False, True]),
        ([1.0, float("nan"), 0.0, None], ("0", "1"), [1, 0, 0, 0], [True, False, True, False]),
        ([True, False, None, True], ("false", "true"), [1, 0, 0, 1], [True, True, False, True]),
        ([0.5, 1.5, None, 0.5], ("0.5", "1.5"), [0, 1, 0, 0], [True, True, False, True]),
    ],
)
def test_classes_are_numbered_in_their_natural_order(
    values: list[object], levels: tuple[str, ...], codes: list[int], present: list[bool]
) -> None:
    found = labels("category", values)
    assert (found.levels, found.values.tolist(), found.present.tolist()) == (levels, codes, present)
    assert found.values.dtype == np.int64


def test_numbers_have_the_weighted_moments_of_training_rows() -> None:
    found = labels("number", [1.0, 2.0, None, 4.0, 1e9])
    target = target_of(found, np.array([0, 1, 2, 3]), np.array([1, 2, 5, 1, 1], np.float32))
    assert target.labelled == 3
    assert target.mean == pytest.approx(9 / 4)
    assert target.std == pytest.approx(np.sqrt((1.25**2 + 2 * 0.25**2 + 1.75**2) / 4))
    assert found.values.dtype == np.float32
    assert np.isfinite(found.values).all()


def test_labels_of_a_row_are_all_there_or_none() -> None:
    found = labels("labels", [True, False, None], [1, 0, 1])
    assert found.values.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert found.present.tolist() == [True, True, False]
    assert target_of(found, np.arange(3), np.ones(3, np.float32)).counts == (1, 1)


def test_a_level_that_training_did_not_know_is_not_present() -> None:
    target = Target("task", ("x",), "category", ("a", "b"))
    values, present = encode_labels(target, pa.table({"x": ["b", "c", None]}))
    assert (values.tolist(), present.tolist()) == ([1, 0, 0], [True, False, False])
    assert Target.from_json(target.to_json()) == target


def test_a_class_of_many_may_be_absent_from_a_small_part_that_is_only_scored() -> None:
    found = labels("category", ["a", "b", "c", "a", "b"])
    assert not split_faults(found, {"training": np.array([0, 1, 2]), "test": np.array([3, 4])})
    assert split_faults(found, {"training": np.array([0, 1]), "test": np.array([2, 3])}) == [
        "no training row is of class 'c'."
    ]
    many = labels("labels", [True, False], [False, False])
    assert split_faults(many, {"training": np.arange(2), "validation": np.empty(0, int)}) == [
        "no training row has the label 'y'."
    ]


@given(st.lists(st.integers(0, 5), max_size=40))
def test_rows_of_equal_chance_keep_their_order(drawn: list[int]) -> None:
    found = _ranked(np.array(drawn, np.float64))
    assert found.tolist() == sorted(range(len(drawn)), key=lambda row: drawn[row])
