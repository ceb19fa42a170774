"""Regression: standardised inside, in its own unit outside."""

from __future__ import annotations

import pytest
import torch
from sklearn import metrics
from torch.nn import functional
from torch.testing import assert_close


@pytest.mark.parametrize(
    ("kind", "loss"),
    [
        ("mse", functional.mse_loss),
        ("mae", functional.l1_loss),
        ("huber", lambda outputs, wanted: functional.huber_loss(outputs, wanted, delta=0.5)),
    ],
)
def test_the_loss_is_torchs_on_standardised_values(make, make_rows, losses, kind, loss):
    outputs, batch = make_rows(kind)
    batch.weights.fill_(1.0)
    present = batch.present["t"]
    found = losses(make(kind), outputs, batch)
    assert_close(found.total / found.weight, loss(outputs[present, 0], (batch.targets["t"][present] - 5) / 3))


def test_predictions_are_in_the_targets_unit(make):
    assert make("mse").predict(torch.tensor([[0.0], [1.0]]))["t"].tolist() == [5.0, 8.0]


@pytest.mark.parametrize("kind", ["mse", "mae", "huber"])
def test_scores_are_scikit_learns(make, make_rows, kind):
    outputs, batch = make_rows(kind, rows=500)
    keep = batch.present["t"]
    found = make(kind).scores(outputs, batch.targets["t"], keep, batch.weights)
    truth, weights = batch.targets["t"][keep].double().numpy(), batch.weights[keep].numpy()
    shown = (outputs[keep, 0].double() * 3 + 5).numpy()
    mae = metrics.mean_absolute_error(truth, shown, sample_weight=weights)
    r2 = metrics.r2_score(truth, shown, sample_weight=weights)
    medians = [metrics.mean_absolute_error(truth, truth * 0 + each, sample_weight=weights) for each in truth]
    wanted = {
        "mae": mae,
        "rmse": metrics.root_mean_squared_error(truth, shown, sample_weight=weights),
        "r2": r2,
        "improvement": r2 if kind == "mse" else 1 - mae / min(medians),
    }
    assert found == pytest.approx(wanted, abs=1e-6)


def test_the_constant_predictor_improves_nothing(make, make_rows):
    _, batch = make_rows("mse", rows=50)
    truth, everyone = batch.targets["t"], torch.ones(50, dtype=torch.bool)
    mean, median = (truth.mean() - 5) / 3, (truth.sort().values[24] - 5) / 3
    for kind, constant in (("mse", mean), ("mae", median)):
        scores = make(kind).scores(constant.expand(50, 1), truth, everyone, torch.ones(50))
        assert scores["improvement"] == pytest.approx(0, abs=1e-6)
