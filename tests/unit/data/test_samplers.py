"""How often rows come: as their shares say, in every epoch, for any number of workers, and from any step on."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from polygraft.core.errors import UserError
from polygraft.data.batches import TableStream, sequential
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.sampling import Order
from polygraft.data.spec import SplitSpec, Step, TableSpec, TargetSpec

ROWS = 900


@pytest.fixture
def frame() -> pd.DataFrame:
    chance = np.random.default_rng(0)
    group = chance.choice(["a", "b", "c"], ROWS, p=[0.8, 0.15, 0.05])
    return pd.DataFrame(
        {"x": chance.normal(size=ROWS), "group": group, "w": chance.gamma(1, 2, ROWS), "y": chance.normal(size=ROWS)}
    )


def prepared(frame: pd.DataFrame, folder: Path, sampling: Step, **spec: Any) -> Prepared:
    frame.to_parquet(folder / "t.parquet")
    targets = (TargetSpec("y", ("y",), "number"),)
    settings: dict[str, Any] = {"weight": "w", "split": SplitSpec(validation=0.1, test=0.2), "targets": targets}
    return prepare(TableSpec("t", ("t.parquet",), folder, sampling=sampling, **settings | spec), folder / "cache")


def epoch(table: Prepared, number: int = 0) -> np.ndarray:
    return Order(3, "t", table.splits["train"], table.shares).epoch(number)


def batches(table: Prepared, shards: range, first: int, last: int) -> list[dict[str, np.ndarray]]:
    stream = TableStream({"t": table}, 60, seed=3, shards=shards, num_shards=4)
    found = stream.batches(first)
    steps = [[shard["t"] for shard in step] for step in itertools.islice(found, last - first)]
    found.close()  # type: ignore[attr-defined]
    return [
        {name: np.concatenate([getattr(each, name).numpy() for each in step]) for name in ("rows", "weights")}
        for step in steps
    ]


@given(st.lists(st.sampled_from([0.0, 1e-9, 0.3, 1.0, 2.5, 1e6]), min_size=2, max_size=60), st.integers(0, 9))
def test_a_row_comes_as_often_as_its_share_says_give_or_take_one(shares: list[float], number: int) -> None:
    given_shares = np.array(shares)
    if not given_shares.any():
        return
    order = Order(1, "t", np.arange(len(shares)) * 7, given_shares).epoch(number)
    counts = np.bincount(order // 7, minlength=len(shares))
    expected = given_shares / given_shares.sum() * len(shares)
    assert len(order) == len(shares)
    assert (np.abs(counts - expected) < 1 + 1e-6).all()
    assert not counts[given_shares == 0].any()


def test_over_epochs_each_row_comes_in_proportion_and_every_epoch_is_another(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    table = prepared(frame, tmp_path, ("weighted", {}))
    drawn = [epoch(table, number) for number in range(200)]
    counts = np.bincount(np.concatenate(drawn), minlength=ROWS)[table.splits["train"]] / 200
    shares = frame["w"].to_numpy()[table.splits["train"]]
    assert_allclose(counts, shares / shares.sum() * len(shares), atol=0.12)
    assert not np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(np.sort(drawn[0]), np.sort(drawn[1]))


def test_by_default_the_order_is_a_permutation(frame: pd.DataFrame, tmp_path: Path) -> None:
    table = prepared(frame, tmp_path, ("uniform", {}))
    assert table.shares is None
    assert_array_equal(np.sort(epoch(table)), table.splits["train"])


def test_drawn_by_weight_a_row_counts_once_and_the_expected_loss_is_the_weighted_one(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    table = prepared(frame, tmp_path, ("weighted", {}))
    drawn = np.concatenate([epoch(table, number) for number in range(100)])
    training = table.splits["train"]
    assert_array_equal(table.weights[training], 1)
    wanted = np.average(frame["x"].to_numpy()[training], weights=frame["w"].to_numpy()[training])
    assert frame["x"].to_numpy()[drawn].mean() == pytest.approx(wanted, abs=2e-3)
    (test,) = sequential(table, "test", ROWS)
    assert_allclose(test.weights, frame["w"].to_numpy()[table.splits["test"]], rtol=1e-6)  # scores stay weighted


@pytest.mark.parametrize(("power", "spread"), [(1.0, 0.01), (0.0, 0.9)])
def test_groups_come_equally_often(frame: pd.DataFrame, tmp_path: Path, power: float, spread: float) -> None:
    table = prepared(frame, tmp_path, ("group_balanced", {"by": "group", "power": power}), drop=("group",))
    drawn = np.concatenate([epoch(table, number) for number in range(20)])
    shares = frame["group"].iloc[drawn].value_counts(normalize=True)
    assert (np.ptp(shares) < spread) == (power == 1.0 or spread > 0.8)
    assert_allclose(table.weights, frame["w"], rtol=1e-6)
    if power == 0:
        assert_allclose(shares, frame["group"].iloc[table.splits["train"]].value_counts(normalize=True), atol=0.01)


@pytest.mark.parametrize("sampling", [("weighted", {}), ("group_balanced", {"by": "group"})], ids=lambda step: step[0])
def test_any_number_of_workers_and_any_first_step_give_the_same_batches(
    frame: pd.DataFrame, tmp_path: Path, sampling: Step
) -> None:
    table = prepared(frame, tmp_path, sampling)
    alone = batches(table, range(4), 0, 25)  # more than two epochs of 10 steps
    shares = [batches(table, part, 0, 25) for part in (range(1), range(1, 3), range(3, 4))]
    for step, whole in enumerate(alone):
        for name in ("rows", "weights"):
            assert_array_equal(np.concatenate([share[step][name] for share in shares]), whole[name])
    later = batches(table, range(4), 17, 25)
    assert all(np.array_equal(one["rows"], other["rows"]) for one, other in zip(later, alone[17:], strict=True))


def test_rows_that_a_step_dropped_never_come(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame = pd.concat([frame, frame], ignore_index=True)
    table = prepared(frame, tmp_path, ("weighted", {}), clean=(("duplicates", {}),))
    drawn = np.concatenate([epoch(table, number) for number in range(30)])
    assert set(drawn) <= set(table.splits["train"])


@pytest.mark.parametrize(
    ("sampling", "words"),
    [
        (
            ("group_balanced", {"by": "grop"}),
            "data.t.sampling.by: the table 't' has no column 'grop'. Did you mean 'group'",
        ),
        (("wieghted", {}), "data.t.sampling.name: no sampler is called 'wieghted'. Did you mean 'weighted'"),
        (("group_balanced", {"by": "group", "power": 2}), "data.t.sampling.power"),
    ],
)
def test_what_is_no_sampling_is_refused(frame: pd.DataFrame, tmp_path: Path, sampling: Step, words: str) -> None:
    with pytest.raises(UserError, match=words):
        prepared(frame, tmp_path, sampling)


def test_a_stream_refuses_what_looks_at_all_rows(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"data.t.sampling.name: 'weighted' looks at all training rows at once, .*memory"
    ):
        prepared(frame, tmp_path, ("weighted", {}), memory=1)
