"""Several numbers ahead of a row in one target: each is masked by itself, and training rows say how far a season moves them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polygraft.data.preparation import Prepared, prepare
from polygraft.data.spec import SeriesSpec, SplitSpec, TableSpec, TargetSpec
from polygraft.data.target import Labels
from polygraft.data.targets import target_of

AHEAD = (1, 24)
NAMES = tuple(f"load ahead {each}" for each in AHEAD)
SPEC = TableSpec(
    "t",
    ("t.parquet",),
    split=SplitSpec("time", "when", 0.1, 0.2),
    series=SeriesSpec("when", ("site",), ahead={"load": AHEAD}, season=24),
    targets=(TargetSpec("t", NAMES, "numbers"), TargetSpec("far", (NAMES[1],), "number")),
)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Hours of three sites, shuffled; some loads are missing."""
    chance = np.random.default_rng(0)
    hours = np.arange(24 * 20)
    rows = pd.DataFrame(
        {
            "when": np.tile(pd.Timestamp("2024-01-01") + pd.to_timedelta(hours, "h"), 3),
            "site": np.repeat(["a", "b", "c"], len(hours)),
            "load": np.tile(np.sin(hours * np.pi / 12), 3) + chance.normal(0, 0.1, len(hours) * 3),
            "x": chance.normal(size=len(hours) * 3),
        }
    )
    rows.loc[chance.choice(len(rows), 50, replace=False), "load"] = np.nan
    return rows.sample(frac=1, random_state=0, ignore_index=True)


@pytest.fixture(scope="module")
def prepared(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("horizons")
    frame.to_parquet(folder / "t.parquet")
    return prepare(replace(SPEC, folder=folder), folder / "cache")


def known(frame: pd.DataFrame, prepared: Prepared) -> pd.DataFrame:
    """By pandas: each horizon's value where it is of the row's own part, in the order of the table."""
    part = pd.Series(-1, frame.index)
    for number, rows in enumerate(prepared.splits.values()):
        part.iloc[rows] = number
    order = frame.assign(part=part).sort_values(["site", "when"])
    shifted = {each: order.groupby("site")[["load", "part"]].shift(-each) for each in AHEAD}
    return pd.DataFrame({each: rows["load"].where(rows["part"] == order["part"]) for each, rows in shifted.items()})


def test_a_horizon_of_another_part_is_missing_and_nearer_ones_stay(frame: pd.DataFrame, prepared: Prepared) -> None:
    wanted = known(frame, prepared).reindex(frame.index)
    values = prepared.targets["t"]
    assert isinstance(values, np.ndarray)
    np.testing.assert_array_equal(values, wanted.to_numpy(np.float32))
    np.testing.assert_array_equal(prepared.present["t"], wanted.notna().any(axis=1))
    np.testing.assert_array_equal(prepared.present["far"], wanted[24].notna())
    assert prepared.present["t"].sum() > prepared.present["far"].sum() + 3 * 3 * 20


def test_the_scale_is_the_seasonal_naive_error_of_training_rows(frame: pd.DataFrame, prepared: Prepared) -> None:
    values = known(frame, prepared)
    in_training = pd.Series(False, frame.index)
    in_training.iloc[prepared.splits["train"]] = True
    for place, column in enumerate(values):
        mine = values[column].where(in_training.reindex(values.index))
        changes = mine.groupby(frame["site"].reindex(values.index)).diff(24).abs()
        assert prepared.target_info["t"].scales[place] == pytest.approx(changes.mean(), rel=1e-6)
        assert 0.05 < changes.mean() < 0.2


def test_rows_without_an_order_have_no_scale(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_parquet(tmp_path / "t.parquet")
    spec = replace(
        SPEC, folder=tmp_path, series=None, split=SplitSpec(), targets=(TargetSpec("t", ("load", "x"), "numbers"),)
    )
    assert prepare(spec, tmp_path / "cache").target_info["t"].scales == ()


def test_a_label_of_another_part_is_in_no_scale() -> None:
    labels = Labels(TargetSpec("t", ("a",), "numbers"), np.array([[1], [3], [90], [7]], np.float32), np.ones(4, bool))
    earlier = np.array([-1, 0, 1, 2])
    assert target_of(labels, np.array([0, 1, 3]), np.ones(4, np.float32), earlier=earlier).scales == (2.0,)
