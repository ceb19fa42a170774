"""Forecasts: each measure by hand, what is missing left out, quantiles in order, and the naive forecast's own MASE."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch.testing import assert_close

from polygraft import objectives
from polygraft.core.errors import UserError
from polygraft.data.target import Target

GONE = math.nan
PLAIN = Target("t", ("h 1", "h 2"), "numbers", labelled=4, means=(0.0, 0.0), stds=(1.0, 1.0), scales=(2.0, 4.0))


def forecast(target: Target = PLAIN, **settings: object):
    return objectives.registry.make("forecast", settings, task="t", target=target)


def scores(objective, outputs: list, targets: list, weights: list | None = None) -> dict[str, float]:
    rows = len(targets)
    everyone = torch.ones(rows, dtype=torch.bool)
    return objective.scores(
        torch.tensor(outputs), torch.tensor(targets), everyone, torch.tensor(weights or [1.0] * rows)
    )


def test_scores_worked_by_hand_without_what_is_missing() -> None:
    found = scores(forecast(), [[1.0, 9.0], [3.0, -2.0]], [[2.0, GONE], [1.0, 2.0]])
    assert found["mae"] == pytest.approx((1 + 2 + 4) / 3)
    assert found["rmse"] == pytest.approx(math.sqrt((1 + 4 + 16) / 3))
    assert found["smape"] == pytest.approx((2 * 1 / 3 + 2 * 2 / 4 + 2 * 4 / 4) / 3)
    assert found["mase"] == pytest.approx((1 / 2 + 2 / 2 + 4 / 4) / 3)
    assert found["quantile_loss"] == pytest.approx(found["mae"] / 2)
    assert "coverage" not in found


def test_a_rows_weight_counts_for_each_of_its_known_values() -> None:
    found = scores(forecast(), [[1.0, 9.0], [3.0, -2.0]], [[2.0, GONE], [1.0, 2.0]], [3.0, 1.0])
    assert found["mae"] == pytest.approx((3 * 1 + 2 + 4) / 5)


def test_nothing_twice_is_no_error_in_smape() -> None:
    assert scores(forecast(), [[0.0, 0.0]], [[0.0, 0.0]])["smape"] == 0


def test_without_series_there_is_no_mase_and_a_column_without_a_scale_is_left_out_of_it() -> None:
    alone = Target("t", ("a",), "numbers", labelled=4, means=(0.0,), stds=(1.0,))
    assert "mase" not in scores(forecast(alone), [[1.0]], [[2.0]])
    half = Target("t", ("a", "b"), "numbers", labelled=4, means=(0.0,) * 2, stds=(1.0,) * 2, scales=(0.0, 2.0))
    assert scores(forecast(half), [[9.0, 1.0]], [[2.0, 2.0]])["mase"] == pytest.approx(0.5)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_pinball_loss_is_scikit_learns(make_rows, losses, share: float) -> None:
    outputs, batch = make_rows("horizons, mse")
    target = Target("t", ("h 1",), "numbers", labelled=20, means=(0.0,), stds=(1.0,))
    objective = forecast(target, loss="quantile", quantiles=sorted({share, 0.5}))
    batch.targets["t"], batch.present["t"] = batch.targets["t"][:, :1], torch.ones(20, dtype=torch.bool)
    both = outputs[:, :1].expand(20, objective.outputs)
    found = losses(objective, both, batch)
    wanted = [
        metrics.mean_pinball_loss(batch.targets["t"], outputs[:, :1], alpha=each, sample_weight=batch.weights)
        for each in {share, 0.5}
    ]
    assert float(found.total / found.weight) == pytest.approx(np.mean(wanted), rel=1e-5)


def test_the_loss_is_the_mean_over_known_values_in_deviations(make_rows, losses) -> None:
    outputs, batch = make_rows("horizons, mse")
    batch.weights.fill_(1.0)
    found = losses(forecast(Target("t", ("a", "b"), "numbers", means=(5.0, 1.0), stds=(3.0, 0.5))), outputs, batch)
    known = batch.present["t"][:, None] & ~batch.targets["t"].isnan()
    wanted = (batch.targets["t"] - torch.tensor([5.0, 1.0])) / torch.tensor([3.0, 0.5])
    assert_close(found.total / found.weight, (outputs - wanted).square()[known].mean())


def test_quantiles_are_shown_in_order_and_cover_what_lies_between() -> None:
    target = Target("t", ("h",), "numbers", means=(10.0,), stds=(2.0,))
    objective = forecast(target, loss="quantile", quantiles=[0.1, 0.5, 0.9])
    crossed = torch.tensor([[1.0, 0.0, -1.0], [-1.0, 0.0, 1.0]])
    shown = objective.predict(crossed)
    assert {name: each.tolist() for name, each in shown.items()} == {
        "h": [10, 10],
        "h q0.1": [8, 8],
        "h q0.5": [10, 10],
        "h q0.9": [12, 12],
    }
    assert scores(objective, crossed.tolist(), [[12.0], [13.0]])["coverage"] == 0.5
    assert scores(objective, crossed.tolist(), [[8.0], [GONE]])["coverage"] == 1


@pytest.mark.parametrize(("loss", "size"), [("mse", 1), ("mae", 1), ("quantile", 3)])
def test_the_best_constants_improve_nothing_and_any_other_less(loss: str, size: int) -> None:
    chance = torch.Generator().manual_seed(0)
    targets = torch.randn(101, 1, generator=chance, dtype=torch.float64).exp()
    ranked = targets[:, 0].sort().values
    best = {"mse": targets.mean(0), "mae": ranked[[50]], "quantile": ranked[[10, 50, 90]]}[loss]
    target = Target("t", ("h",), "numbers", means=(0.0,), stds=(1.0,))
    everyone = torch.ones(101, dtype=torch.bool)
    for moved, wanted in ((0.0, True), (0.2, False), (-0.2, False)):
        outputs = (best + moved).expand(101, size)
        found = forecast(target, loss=loss).scores(outputs, targets, everyone, torch.ones(101))["improvement"]
        assert (abs(found) < 1e-6) is wanted
        assert found < 1e-6


@pytest.mark.parametrize("quantiles", [[0.1, 0.9], [0.9, 0.5, 0.1], [0.5, 0.5]])
def test_quantiles_that_are_none_are_refused(quantiles: list[float]) -> None:
    with pytest.raises(UserError, match=r"ascending, and \.5 among them"):
        forecast(loss="quantile", quantiles=quantiles)
