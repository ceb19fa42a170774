"""Which column says that rows belong together: by its name, or by labels that hang on it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from polygraft.data.groups import candidates, intraclass, says_group
from polygraft.data.spec import Kind, TargetSpec
from polygraft.data.targets import read_labels

ROWS = 1_000


def found(columns: dict[str, list], label: np.ndarray, kinds: dict[str, Kind] | None = None) -> list[str]:
    table = pa.table({**columns, "y": label})
    labels = read_labels(TargetSpec("y", ("y",), "number"), table)
    plain: dict[str, Kind] = {
        name: "category" if isinstance(column[0], str) else "number" for name, column in columns.items()
    }
    return [group.column for group in candidates(table, kinds or plain, [labels])]


@pytest.mark.parametrize(
    "name",
    [
        "patient",
        "user_id",
        "userId",
        "UserID",
        "customer number",
        "tailnum",
        "tail_num",
        "subject.no",
        "ID",
        "person key 2",
    ],
)
def test_a_name_that_means_one_of_a_kind_is_a_group(name: str) -> None:
    assert says_group(name)


@pytest.mark.parametrize(
    "name",
    [
        "users",
        "customer_city",
        "user_type",
        "household_size",
        "number",
        "code",
        "identity",
        "age",
        "",
        "42",
        "idle",
        "flight",
    ],
)
def test_a_name_that_means_something_of_it_is_none(name: str) -> None:
    assert not says_group(name)


def test_a_named_column_of_many_levels_with_several_rows_each_is_one() -> None:
    chance = np.random.default_rng(0)
    noise = chance.normal(size=ROWS)
    for levels, fits in ((19, False), (20, True), (500, True), (501, False)):
        assert found({"user": (np.arange(ROWS) % levels).tolist()}, noise) == ["user"] * fits, levels
    mostly_one = np.where(np.arange(ROWS) < 150, 0, np.arange(ROWS) % 50)
    assert found({"user": mostly_one.tolist()}, noise) == [], "a level holds 15 % of the rows"
    assert found({"user": (np.arange(ROWS) % 50 * 0.5).tolist()}, noise) == [], "fractions are no names"


def test_of_several_the_coarsest_named_one_comes_first_and_then_the_texts_whose_labels_are_alike() -> None:
    chance = np.random.default_rng(0)
    place = chance.permutation(np.arange(ROWS) % 50)
    label = chance.normal(size=50)[place] + 0.1 * chance.normal(size=ROWS)
    columns = {
        "place": [f"at {each}" for each in place],
        "noise": [f"at {each}" for each in chance.permutation(place)],
        "session": (np.arange(ROWS) % 400).tolist(),
        "user": (np.arange(ROWS) % 100).tolist(),
        "number": place.tolist(),
    }
    assert found(columns, label) == ["user", "session", "place"]


def test_a_text_of_few_levels_is_a_category_however_much_it_says_of_the_label() -> None:
    rows = 5_000
    which = np.arange(rows) % 40
    label = np.random.default_rng(0).normal(size=40)[which]
    assert found({"make": [f"make {each}" for each in which]}, label) == []


def test_texts_in_pairs_are_no_groups_because_a_rare_label_fell_on_one_pair() -> None:
    texts, label = [f"t{each}" for each in np.arange(40) % 20], np.zeros(40)
    label[[3, 23]] = 1
    assert intraclass(np.arange(40) % 20, label[:, None]) == 1
    assert found({"text": texts}, label) == []
    assert found({"text": texts}, (np.arange(40) % 20 % 2).astype(float)) == ["text"]


def test_the_intraclass_correlation_is_that_of_the_analysis_of_variance() -> None:
    # Shrout and Fleiss 1979, table 2: six targets, four judges; ICC(1, 1) = .17 in their table 4.
    ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
    assert intraclass(np.repeat(np.arange(6), 4), ratings.reshape(-1, 1)) == pytest.approx(0.1657, abs=1e-4)
    chance = np.random.default_rng(0)
    which = np.repeat(np.arange(400), chance.integers(1, 12, 400))
    values = 2 * chance.normal(size=400)[which] + chance.normal(size=len(which))
    assert intraclass(which, values[:, None]) == pytest.approx(4 / 5, abs=0.03), "groups of unequal sizes"
    assert intraclass(which, np.ones((len(which), 1))) == 0
    assert intraclass(np.arange(5), np.arange(5.0)[:, None]) == 0
