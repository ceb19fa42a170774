"""The encoders of numbers are scikit-learn's, at the same quantiles, and a batch of any size is encoded alike."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler

from polygraft.core.errors import UserError
from polygraft.data.cleaning.base import Cleaning
from polygraft.data.cleaning.missing import Missing
from polygraft.data.cleaning.outliers import Outliers
from polygraft.data.encoders.base import Encoder
from polygraft.data.encoders.log import Log
from polygraft.data.encoders.quantile_normal import QuantileNormal
from polygraft.data.encoders.robust import Robust
from polygraft.data.fitting import fit_number
from polygraft.data.kernels.encode import encode_numbers
from polygraft.data.known import Held
from polygraft.data.plans import NumberPlan
from polygraft.data.preparation import prepare
from polygraft.data.preprocessor import Preprocessor
from polygraft.data.spec import TableSpec, TargetSpec

ROWS = 3_000
TRAINING = np.arange(ROWS) % 5 != 0


@pytest.fixture
def values() -> np.ndarray:
    chance = np.random.default_rng(2)
    values = np.round(chance.gamma(1, 100, ROWS)) - 30
    values[chance.random(ROWS) < 0.1] = np.nan
    return values


def encoded(values: np.ndarray, encoder: Encoder, *steps: Cleaning) -> tuple[NumberPlan, np.ndarray]:
    """The plan, and all rows, float32 [rows]."""
    column = pa.chunked_array([pa.array(values, mask=np.isnan(values))])
    plan = fit_number("x", Held(column, TRAINING), encoder=encoder, steps=list(steps))
    bend = partial(encoder.bend, plan) if encoder.bends else None
    return plan, encode_numbers([column], [plan], len(values), [bend])[:, 0]


def test_robust_scaling_is_scikit_learns(values: np.ndarray) -> None:
    plan, found = encoded(values, Robust(0.1, 0.8))
    scaler = RobustScaler(quantile_range=(10, 80)).fit(values[TRAINING, None])
    expected = scaler.transform(values[:, None])[:, 0]
    assert np.allclose(found, np.where(np.isnan(expected), 0, expected), rtol=1e-6)
    assert plan.scale == pytest.approx(scaler.scale_[0])


def test_a_range_without_width_gives_way_to_the_deviation() -> None:
    values = np.r_[np.zeros(ROWS - 30), np.full(30, 9.0)]
    assert encoded(values, Robust())[0].scale == pytest.approx(values[TRAINING].std())
    assert encoded(np.full(ROWS, 4.0), Robust())[0].scale == 1


def test_logarithms_are_odd_and_standard(values: np.ndarray) -> None:
    _, found = encoded(values, Log(), Missing("median", indicator=False))
    filled = np.where(np.isnan(values), np.nanmedian(values[TRAINING]), values)
    bent = (np.sign(filled) * np.log1p(np.abs(filled)))[:, None]
    assert np.allclose(found, StandardScaler().fit(bent[TRAINING]).transform(bent)[:, 0], atol=1e-6)
    assert Log().bend(NumberPlan("x"), np.array([-3.0, 0.0, 3.0])).tolist() == [-np.log(4.0), 0, np.log(4.0)]


@pytest.mark.parametrize("quantiles", [2, 50, 1000])
def test_normal_scores_are_scikit_learns_at_the_same_quantiles(values: np.ndarray, quantiles: int) -> None:
    plan, found = encoded(values, QuantileNormal(quantiles))
    peer = QuantileTransformer(n_quantiles=quantiles, output_distribution="normal", subsample=None)
    peer.fit(values[TRAINING, None])
    assert np.allclose(plan.knots, peer.quantiles_[:, 0], rtol=1e-12)
    known = ~np.isnan(values)
    assert np.allclose(found[known], peer.transform(values[known, None])[:, 0], atol=2e-6)


def test_normal_scores_are_those_of_clipped_values(values: np.ndarray) -> None:
    plan, found = encoded(values, QuantileNormal(), Outliers(low=0.1, high=0.9))
    assert (plan.knots[0], plan.knots[-1]) == (plan.low, plan.high)
    assert found.min() == pytest.approx(-5.1993, abs=1e-4)


def test_a_constant_column_has_the_score_zero() -> None:
    assert (encoded(np.full(ROWS, 4.0), QuantileNormal())[1] == 0).all()


@pytest.mark.parametrize("encoder", [Robust(), Log(), QuantileNormal(), QuantileNormal(2)])
def test_a_column_that_training_does_not_know_stays_finite(encoder: Encoder) -> None:
    _, found = encoded(np.where(TRAINING, np.nan, 5.0), encoder, Missing())
    assert np.isfinite(found).all()
    assert (found[TRAINING] == 0).all()


def test_values_too_far_apart_for_a_difference_are_still_between() -> None:
    score = QuantileNormal().bend(NumberPlan("x", knots=(-1.7e308, 1.7e308)), np.array([0.0, 8.5e307, np.nan]))
    assert score[0] == 0
    assert score[1] == pytest.approx(0.67448975, abs=1e-7)
    assert np.isnan(score[2])


@pytest.mark.parametrize("name", ["robust", "log", "quantile_normal"])
def test_any_part_of_the_rows_is_encoded_as_in_training(folder: Path, frame: pd.DataFrame, name: str) -> None:
    spec = TableSpec(
        "t",
        ("t.parquet",),
        folder,
        columns={"month": "category"},
        encode={"wind": (name, {}), "distance": (name, {})},
        targets=(TargetSpec("late", ("late",), "category"), TargetSpec("delay", ("delay",), "number")),
    )
    prepared = prepare(spec, folder / "cache")
    prepared.preprocessor.save(folder / "saved")
    loaded = Preprocessor.load(folder / "saved")
    assert loaded == prepared.preprocessor
    for first, last in ((0, 400), (7, 8), (30, 61)):
        some = loaded.encode(frame.iloc[first:last])["numbers"]
        assert np.array_equal(some, prepared.inputs["numbers"][first:last])
    frame.loc[3, "wind"] = np.inf
    with pytest.raises(UserError, match="infinite value"):
        loaded.encode(frame)
