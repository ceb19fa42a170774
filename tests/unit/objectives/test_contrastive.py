"""NT-Xent against a double loop, the two views, and what alike projections come to."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity
from torch.testing import assert_close

from polygraft.core.batch import Input, Inputs
from polygraft.objectives.augmentation import mirrored, shifted
from polygraft.objectives.contrastive import nt_xent
from unlabelled_toys import Bent, answers, batch, learner, loss, scores

MIXED = Inputs(numbers=3, categories=(4,))
PHOTO = Input("image/photo", "image", (1, 5, 5))


def mixed(rows: int = 300):
    chance = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 4, (rows, 1), generator=chance).int()
    return batch(numbers=torch.randn(rows, 3, generator=chance), categories=codes)


def by_loops(one: Tensor, two: Tensor, temperature: float) -> list[float]:
    """Equation 1, term by term."""
    views = [*one, *two]
    rows, found = len(one), []
    for i in range(rows):
        losses = []
        for a, b in ((i, i + rows), (i + rows, i)):
            alike = [math.exp(float(cosine_similarity(views[a], each, 0)) / temperature) for each in views]
            losses.append(-math.log(alike[b] / (sum(alike) - alike[a])))
        found.append(sum(losses) / 2)
    return found


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_the_loss_is_that_of_a_double_loop(temperature: float) -> None:
    one, two = torch.randn(7, 4, dtype=torch.float64), torch.randn(7, 4, dtype=torch.float64)
    assert nt_xent(one, two, temperature).tolist() == pytest.approx(by_loops(one, two, temperature))


def test_a_shard_is_one_mean_that_weighs_one_and_rows_of_no_weight_are_negatives_alone() -> None:
    learns, rows = learner("contrastive", MIXED, trunk=Bent), mixed(9)
    rows.weights[:] = torch.tensor([2.0, 1, 0, 0, 0, 0, 0, 0, 0])
    torch.manual_seed(0)
    view = learns.network.view({"rows": rows})
    found = learns.objective("t").losses(view, {"rows": rows})
    one, two = (learns.objective("t").seen(view, name).outputs["t"] for name in ("one", "two"))
    each = nt_xent(one, two, 0.5)
    assert_close(found.total, (2 * each[0] + each[1]) / 3)
    assert found.weight == 1
    rows.weights.zero_()
    nothing = learns.objective("t").losses(learns.network.view({"rows": rows}), {"rows": rows})
    assert (nothing.total.item(), nothing.weight.item()) == (0, 0)


def test_the_two_views_are_other_draws_and_keep_what_columns_hold() -> None:
    learns, rows = learner("contrastive", MIXED, swap=0.4, noise=0.0), mixed()
    view = learns.network.view({"rows": rows})
    one, two = (learns.objective("t").seen(view, name).batch["rows"].inputs for name in ("one", "two"))
    assert not torch.equal(one["numbers"], two["numbers"])
    for seen in (one, two):
        changed = (seen["numbers"] != rows.inputs["numbers"]).float().mean()
        assert 0.3 < changed < 0.5
        assert {*seen["numbers"].flatten().tolist()} <= {*rows.inputs["numbers"].flatten().tolist()}
        assert seen["categories"].dtype == torch.int32


def test_without_any_change_both_views_are_the_row() -> None:
    learns, rows = learner("contrastive", MIXED, swap=0.0, noise=0.0), mixed()
    plain, one, two = answers(learns, rows).chunk(3, 1)
    assert torch.equal(plain, one)
    assert torch.equal(plain, two)
    assert scores(learns, rows)["top1"] == 1


def test_projections_that_are_all_alike_improve_nothing() -> None:
    learns, rows = learner("contrastive", MIXED), mixed()
    with torch.no_grad():
        learns.network.heads["t"].out.weight.zero_()
    found = scores(learns, rows)
    assert found["improvement"] == pytest.approx(0, abs=1e-9)
    assert found["top1"] < 0.05
    assert loss(learns, rows).item() == pytest.approx(math.log(2 * 300 - 1), rel=1e-5)


def test_images_are_moved_and_mirrored_each_by_its_own_draw() -> None:
    images = torch.zeros(400, 1, 5, 5)
    images[:, :, 2, 2] = 1
    moved = shifted(images, 1)
    assert torch.equal(moved.sum((1, 2, 3)), torch.ones(400))
    places = moved.flatten(1).argmax(1)
    assert {*places.tolist()} == {6, 7, 8, 11, 12, 13, 16, 17, 18}
    ramp = torch.arange(5.0).expand(400, 1, 5, 5)
    assert 0.4 < (mirrored(ramp)[:, 0, 0, 0] == 4).float().mean() < 0.6
    learns, rows = (
        learner("contrastive", Inputs(others=(PHOTO,)), mirror=True),
        batch(image__photo=torch.rand(20, 1, 5, 5)),
    )
    assert loss(learns, rows).isfinite()


def test_predictions_are_a_projection_of_length_one() -> None:
    learns, rows = learner("contrastive", MIXED, size=2), mixed()
    found = learns.objective("t").predict(answers(learns, rows))
    assert found.keys() == {"t_0", "t_1"}
    assert found["t_0"] ** 2 + found["t_1"] ** 2 == pytest.approx(1, rel=1e-5)
