"""Laws of every objective without labels: weights, precision, answers of the width it says, scores that are finite, state."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from polygraft.core.batch import Batch, Input, Inputs
from polygraft.core.catalogue import catalogue
from polygraft.training.learner import Learner
from unlabelled_toys import Bent, answers, batch, learner, scores

COLUMNS, NUMBERS = Inputs(numbers=3, categories=(4, 6)), Inputs(numbers=3)
PHOTO = Inputs(others=(Input("image/photo", "image", (1, 4, 4)),))
CASES = {
    "autoencoder": ("autoencoder", COLUMNS, {}),
    "autoencoder, code": ("autoencoder", COLUMNS, {"code": 2}),
    "autoencoder, noise": ("autoencoder", COLUMNS, {"noise": "gaussian"}),
    "autoencoder, masking, images": ("autoencoder", PHOTO, {"noise": "masking", "pixels": "bernoulli"}),
    "vae": ("vae", COLUMNS, {"latent": 2}),
    "vae, images": ("vae", PHOTO, {"latent": 3, "pixels": "bernoulli"}),
    "masked": ("masked", COLUMNS, {}),
    "masked, images": ("masked", PHOTO, {"patch": 2}),
    "contrastive": ("contrastive", COLUMNS, {"size": 5}),
    "contrastive, images": ("contrastive", PHOTO, {"shift": 1}),
    "gan": ("gan", NUMBERS, {"hidden": [4]}),
    "gan, wasserstein, images": ("gan", PHOTO, {"loss": "wasserstein", "hidden": [4]}),
}
MEANS = {"contrastive": "a shard's loss is a mean, which weighs 1"}
"""Objectives for which a sum's law does not hold, each with the reason."""
ELSEWHERE = {
    "language_model": "it reads a sequence: test_language_model.py, and whole runs in tests/runs/test_sequences.py"
}
"""Objectives that these networks cannot have, each with where it is tried."""
SUMS = [case for case, (name, _, _) in CASES.items() if name not in MEANS]


@pytest.fixture(params=CASES)
def case(request) -> str:
    return request.param


def made(case: str) -> Learner:
    name, inputs, settings = CASES[case]
    return learner(name, inputs, trunk=Bent, **settings)


def rows_of(case: str, rows: int = 60) -> Batch:
    inputs = CASES[case][1]
    chance = torch.Generator().manual_seed(0)
    if inputs.others:
        return batch(image__photo=torch.rand(rows, 1, 4, 4, generator=chance))
    codes = [torch.randint(0, levels, (rows,), generator=chance) for levels in inputs.categories]
    numbers = torch.randn(rows, 3, generator=chance)
    return batch(numbers=numbers, categories=torch.stack(codes, 1).int()) if codes else batch(numbers=numbers)


def lost(learns: Learner, rows: Batch, player: str = "main"):
    torch.manual_seed(0)
    return learns.objective("t").losses(learns.network.view({"rows": rows}), {"rows": rows}, player)


def test_every_objective_without_a_target_is_tried_here() -> None:
    free = {name for name, plugin in catalogue("objectives").items() if not plugin.facts.get("target")}
    assert {name for name, _, _ in CASES.values()} | ELSEWHERE.keys() == {
        name for name in free if catalogue("objectives")[name].asks[1:] == ("inputs",)
    }


@pytest.mark.parametrize("case", SUMS)
def test_a_row_of_weight_two_counts_as_two_rows(case) -> None:
    learns, rows = made(case), rows_of(case)
    for player in learns.objective("t").players:
        once, twice = (lost(learns, replace(rows, weights=rows.weights * by), player.name) for by in (1, 2))
        assert_close(twice.total, 2 * once.total)
        assert_close(twice.weight, 2 * once.weight)


def test_rows_that_weigh_nothing_give_exactly_no_gradient_and_no_weight(case) -> None:
    learns, rows = made(case), rows_of(case)
    for player in learns.objective("t").players:
        loss = lost(learns, replace(rows, weights=torch.zeros(60)), player.name)
        assert (loss.total.item(), loss.weight.item()) == (0, 0)
        found = torch.autograd.grad(loss.total, learns.moved("t", player), allow_unused=True)
        assert not any(each.any() for each in found if each is not None)


def test_a_loss_is_summed_in_float32_and_reaches_all_that_its_player_moves(case) -> None:
    learns, rows = made(case), rows_of(case)
    for player in learns.objective("t").players:
        with torch.autocast("cpu", torch.bfloat16):
            assert lost(learns, rows, player.name).total.dtype == torch.float32
        found = torch.autograd.grad(lost(learns, rows, player.name).total, learns.moved("t", player))
        assert all(each.isfinite().all() for each in found)


def test_answers_are_as_wide_as_it_says_and_scores_are_finite_and_known(case) -> None:
    learns, rows = made(case), rows_of(case)
    objective, given = learns.objective("t"), answers(learns, rows)
    assert given.shape == (60, objective.width)
    found = scores(learns, rows)
    assert "improvement" in found
    assert found.keys() <= objective.better.keys()
    assert all(map(math.isfinite, found.values()))


def test_no_row_that_counts_gives_no_score_and_no_picture(case) -> None:
    learns, rows = made(case), rows_of(case)
    objective, given = learns.objective("t"), answers(learns, rows)
    asked = (*rows.asked("t"), torch.zeros(60))
    assert objective.scores(given, *asked) == {}
    assert objective.exhibits(given, *asked) == []


def test_predictions_are_columns_with_a_finite_value_a_row(case) -> None:
    learns, rows = made(case), rows_of(case)
    found = learns.objective("t").predict(answers(learns, rows))
    assert found
    assert all(each.shape == (60,) and math.isfinite(each.sum()) for each in found.values())


def test_what_it_remembers_loads_strictly_into_a_fresh_one(case) -> None:
    one, other = made(case), made(case)
    with torch.no_grad():
        for each in one.parameters():
            each.add_(1)
    other.load_state_dict(one.state_dict())
    assert torch.equal(answers(one, rows_of(case)), answers(other, rows_of(case)))
