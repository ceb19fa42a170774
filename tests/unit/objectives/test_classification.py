"""Classification against torch's and scikit-learn's own words."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from polygraft import objectives
from polygraft.core.errors import UserError
from polygraft.data.target import Target


def mean(loss):
    return loss.total / loss.weight


def test_binary_is_torchs_mean_over_labelled_rows(make, make_rows, losses):
    outputs, batch = make_rows("binary")
    present = batch.present["t"]
    wanted = functional.binary_cross_entropy_with_logits(
        outputs[present, 0], batch.targets["t"][present].float(), batch.weights[present], reduction="sum"
    )
    assert_close(mean(losses(make("binary"), outputs, batch)), wanted / batch.weights[present].sum())


def test_several_classes_with_weights_are_torchs_weighted_mean(make, make_rows, losses):
    outputs, batch = make_rows("classes")
    present = batch.present["t"]
    batch.weights.fill_(1.0)
    wanted = nn.CrossEntropyLoss(torch.tensor([1.0, 2.0, 0.5, 1.0]))(outputs[present], batch.targets["t"][present])
    assert_close(mean(losses(make("classes", class_weights=[1, 2, 0.5, 1]), outputs, batch)), wanted)


def test_smoothing_is_torchs(make, make_rows, losses):
    outputs, batch = make_rows("classes")
    present = batch.present["t"]
    batch.weights.fill_(1.0)
    wanted = nn.CrossEntropyLoss(label_smoothing=0.1)(outputs[present], batch.targets["t"][present])
    assert_close(mean(losses(make("classes", label_smoothing=0.1), outputs, batch)), wanted)


def test_two_classes_agree_whether_told_by_one_logit_or_two(make, make_rows, losses):
    outputs, batch = make_rows("binary, smooth")
    two = torch.cat([torch.zeros_like(outputs), outputs], 1)
    present = batch.present["t"]
    wanted = functional.cross_entropy(two, batch.targets["t"], reduction="none", label_smoothing=0.2)
    assert_close(losses(make("binary, smooth"), outputs, batch).total, (wanted * batch.weights)[present].sum())


def test_balanced_weights_are_scikit_learns(make):
    assert_close(make("binary, weighted").balance, torch.tensor([[40 / 60, 2.0]]))
    assert_close(make("classes", class_weights="balanced").balance, torch.tensor([2.5, 1.25, 2.5, 100 / 240]))
    assert_close(make("labels, weighted").balance, torch.tensor([[100 / 180, 5.0], [100 / 160, 2.5], [1.0, 1.0]]))


def test_class_weights_that_do_not_fit_are_refused_with_the_levels(make):
    with pytest.raises(UserError, match=r"class_weights: 2 weights for 4 levels. One for each of: a, b, c, d."):
        make("classes", class_weights=[1.0, 2.0])
    with pytest.raises(
        UserError, match=r"class_weights: a list goes with levels; for labels take 'balanced' or 'none'"
    ):
        make("labels", class_weights=[1.0, 2.0, 3.0])


def test_binary_scores_are_scikit_learns(make, make_rows):
    outputs, batch = make_rows("binary", rows=500)
    outputs = (outputs * 4).round() / 4  # ties
    keep = batch.present["t"]
    found = make("binary").scores(outputs, batch.targets["t"], keep, batch.weights)
    truth, weights = batch.targets["t"][keep].numpy(), batch.weights[keep].numpy()
    shown = outputs[keep, 0].double().sigmoid().numpy()
    prior = np.full(len(truth), np.average(truth, weights=weights))
    log_loss = metrics.log_loss(truth, shown, sample_weight=weights)
    wanted = {
        "auc": metrics.roc_auc_score(truth, shown),
        "average_precision": metrics.average_precision_score(truth, shown),
        "f1": metrics.f1_score(truth, shown > 0.5),
        "accuracy": metrics.accuracy_score(truth, shown > 0.5, sample_weight=weights),
        "log_loss": log_loss,
        "improvement": 1 - log_loss / metrics.log_loss(truth, prior, sample_weight=weights),
    }
    assert found == pytest.approx(wanted, abs=1e-6)


def test_scores_of_several_classes_are_scikit_learns(make, make_rows):
    outputs, batch = make_rows("classes", rows=500)
    keep = batch.present["t"]
    found = make("classes").scores(outputs, batch.targets["t"], keep, batch.weights)
    truth, weights = batch.targets["t"][keep].numpy(), batch.weights[keep].numpy()
    shown = outputs[keep].double().softmax(1).numpy()
    prior = np.tile(np.bincount(truth, weights) / weights.sum(), (len(truth), 1))
    log_loss = metrics.log_loss(truth, shown, sample_weight=weights)
    wanted = {
        "auc": metrics.roc_auc_score(truth, shown, multi_class="ovr"),
        "average_precision": metrics.average_precision_score(np.eye(4)[truth], shown),
        "f1": metrics.f1_score(truth, shown.argmax(1), average="macro"),
        "accuracy": metrics.accuracy_score(truth, shown.argmax(1), sample_weight=weights),
        "log_loss": log_loss,
        "improvement": 1 - log_loss / metrics.log_loss(truth, prior, sample_weight=weights),
    }
    assert found == pytest.approx(wanted, abs=1e-6)


def test_scores_of_labels_are_scikit_learns_means_over_them(make, make_rows):
    outputs, batch = make_rows("labels", rows=500)
    keep = batch.present["t"]
    found = make("labels").scores(outputs, batch.targets["t"], keep, torch.ones(500))
    truth, shown = batch.targets["t"][keep].numpy(), outputs[keep].double().sigmoid().numpy()
    wanted = {
        "auc": metrics.roc_auc_score(truth, shown),
        "average_precision": metrics.average_precision_score(truth, shown),
        "f1": metrics.f1_score(truth, shown > 0.5, average="macro"),
        "accuracy": 1 - metrics.hamming_loss(truth, shown > 0.5),
        "log_loss": np.mean([metrics.log_loss(truth[:, i], shown[:, i]) for i in range(3)]),
    }
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=1e-6)


def test_a_class_absent_from_the_scored_rows_is_left_out_of_the_means(make, make_rows):
    outputs, batch = make_rows("classes", rows=500)
    truth = batch.targets["t"] % 3
    found = make("classes").scores(outputs, truth, torch.ones(500, dtype=torch.bool), torch.ones(500))
    shown = outputs.double().softmax(1).numpy()
    wanted = np.mean([metrics.roc_auc_score(truth.numpy() == i, shown[:, i]) for i in range(3)])
    assert found["auc"] == pytest.approx(wanted, abs=1e-6)


def test_saturated_logits_still_order_the_rows(make):
    outputs = torch.tensor([[20.0], [25.0], [30.0], [18.0]])
    truth = torch.tensor([0, 1, 1, 0])
    assert make("binary").scores(outputs, truth, truth >= 0, torch.ones(4))["auc"] == 1


def test_predicting_the_prior_improves_nothing_and_the_truth_everything(make):
    truth = torch.tensor([0, 0, 0, 1])
    score = make("binary").scores
    prior, sure = torch.full((4, 1), 0.25).logit(), (truth.float() * 200 - 100).unsqueeze(1)
    assert score(prior, truth, truth >= 0, torch.ones(4))["improvement"] == pytest.approx(0, abs=1e-6)
    assert score(sure, truth, truth >= 0, torch.ones(4))["improvement"] == pytest.approx(1)


def test_predictions_name_the_levels():
    def make(*target):
        return objectives.registry.make("classification", {}, task="t", target=Target("t", *target))

    binary = make(("t",), "category", ("no", "yes"), (1, 1), 2).predict(torch.tensor([[-1.0], [2.0]]))
    assert list(binary) == ["t", "t_probability"]
    assert binary["t"].tolist() == ["no", "yes"]
    assert binary["t_probability"][1] == pytest.approx(0.8808, abs=1e-4)
    several = make(("t",), "category", ("a", "b", "c"), (1, 1, 1), 3).predict(torch.tensor([[0.0, 3.0, 1.0]]))
    assert list(several) == ["t", "t_probability_a", "t_probability_b", "t_probability_c"]
    assert several["t"].tolist() == ["b"]
    labels = make(("sun", "wind"), "labels", ("sun", "wind"), (1, 1), 2).predict(torch.tensor([[-1.0, 2.0]]))
    assert list(labels) == ["sun", "sun_probability", "wind", "wind_probability"]
    assert (labels["sun"].tolist(), labels["wind"].tolist()) == ([0], [1])


def test_a_hundred_thousand_rows_score_quickly(make, make_rows):
    import time

    objective = make("binary")
    outputs, batch = make_rows("binary", rows=100_000)
    rows = outputs, batch.targets["t"], batch.present["t"], batch.weights
    objective.scores(*rows)
    start = time.perf_counter()
    objective.scores(*rows)
    assert time.perf_counter() - start < 1
