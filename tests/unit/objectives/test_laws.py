"""Laws of every objective: sums over rows, masks that multiply, weights, precision, and scores that are finite."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from polygraft.core.batch import Batch

NEITHER = {"coverage"}
"""Scores of which neither more nor less is better."""


def part(batch: Batch, rows: slice) -> Batch:
    return replace(
        batch,
        targets={"t": batch.targets["t"][rows]},
        present={"t": batch.present["t"][rows]},
        weights=batch.weights[rows],
    )


def test_two_parts_of_the_rows_sum_to_the_whole(kind, make, make_rows, losses):
    objective, (outputs, batch) = make(kind), make_rows(kind)
    outputs = outputs.double()
    whole = losses(objective, outputs, batch)
    parts = [losses(objective, outputs[rows], part(batch, rows)) for rows in (slice(0, 7), slice(7, None))]
    assert_close(sum(each.total for each in parts), whole.total)
    assert_close(sum(each.weight for each in parts), whole.weight)
    assert whole.total.ndim == whole.weight.ndim == 0


def test_a_missing_label_gives_exactly_no_gradient_whatever_it_holds(kind, make, make_rows, losses):
    objective, (outputs, batch) = make(kind), make_rows(kind)
    present = batch.present["t"]
    found = []
    for garbage in (0, 7, 2**31 if batch.targets["t"].dtype == torch.int64 else 3e38, -1):
        targets = batch.targets["t"].clone()
        targets[~present] = garbage
        leaf = outputs.clone().requires_grad_()
        loss = losses(objective, leaf, replace(batch, targets={"t": targets}))
        loss.total.backward()
        assert not leaf.grad[~present].any()
        assert leaf.grad[present].any(1).all()
        found.append((loss.total.detach(), loss.weight, leaf.grad))
    assert all(torch.equal(a, b) for each in found for a, b in zip(each, found[0], strict=True))


def test_a_batch_without_a_label_weighs_nothing(kind, make, make_rows, losses):
    objective, (outputs, batch) = make(kind), make_rows(kind)
    loss = losses(objective, outputs.requires_grad_(), replace(batch, present={"t": torch.zeros(20, dtype=torch.bool)}))
    assert (loss.total.item(), loss.weight.item()) == (0, 0)
    assert loss.total.requires_grad


def test_a_row_of_weight_two_counts_as_two_rows(kind, make, make_rows, losses):
    objective, (outputs, batch) = make(kind), make_rows(kind)
    outputs = outputs.double()
    once = replace(batch, weights=torch.ones(20))
    heavy = losses(objective, outputs, replace(batch, weights=torch.full((20,), 2.0)))
    twice = losses(objective, outputs, once)
    assert_close(heavy.total, 2 * twice.total)
    assert_close(heavy.weight, 2 * twice.weight)


def test_outputs_in_bfloat16_are_summed_in_float32(kind, make, make_rows, losses):
    outputs, batch = make_rows(kind)
    assert losses(make(kind), outputs.bfloat16(), batch).total.dtype == torch.float32


def test_scores_are_finite_numbers_with_a_known_better(kind, make, make_rows):
    objective, (outputs, batch) = make(kind), make_rows(kind, rows=200)
    scores = objective.scores(outputs, batch.targets["t"], batch.present["t"], batch.weights)
    assert set(scores) - NEITHER == set(objective.better)
    assert all(isinstance(value, float) and math.isfinite(value) for value in scores.values())
    assert objective.improvement(scores) == scores["improvement"] < 1


def test_rows_without_a_label_do_not_enter_the_scores(kind, make, make_rows):
    objective, (outputs, batch) = make(kind), make_rows(kind, rows=200)
    present = batch.present["t"]
    whole = objective.scores(outputs, batch.targets["t"], present, batch.weights)
    rows = outputs[present], batch.targets["t"][present], present[present], batch.weights[present]
    assert objective.scores(*rows) == whole


def test_no_labelled_row_gives_no_score_and_no_picture(kind, make, make_rows):
    objective, (outputs, batch) = make(kind), make_rows(kind)
    nothing = outputs, batch.targets["t"], torch.zeros(20, dtype=torch.bool), batch.weights
    assert objective.scores(*nothing) == {}
    assert objective.improvement({}) == 0
    assert objective.exhibits(*nothing) == []


def test_one_class_or_one_value_leaves_out_what_it_does_not_define(kind, make, make_rows):
    objective, (outputs, batch) = make(kind), make_rows(kind)
    targets = torch.zeros_like(batch.targets["t"])
    scores = objective.scores(outputs, targets, batch.present["t"], batch.weights)
    assert all(map(math.isfinite, scores.values()))
    assert not scores.keys() & {"auc", "average_precision", "r2", "improvement"}


def test_predictions_are_columns_with_a_value_a_row(kind, make, make_rows):
    outputs, _ = make_rows(kind)
    for name, column in make(kind).predict(outputs).items():
        assert column.shape == (20,), name


def test_pictures_hold_arrays_that_fit(kind, make, make_rows):
    objective, (outputs, batch) = make(kind), make_rows(kind, rows=300)
    for exhibit in objective.exhibits(outputs, batch.targets["t"], batch.present["t"], batch.weights):
        if exhibit.kind == "heatmap":
            assert exhibit.arrays["z"].shape == (len(exhibit.arrays["y"]), len(exhibit.arrays["x"]))
        else:
            assert len(exhibit.arrays["x"]) == len(exhibit.arrays["y"]) > 1


def test_what_it_remembers_loads_strictly_into_a_fresh_one(kind, make):
    one, other = make(kind), make(kind)
    other.load_state_dict(one.state_dict())
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict({})
