"""The two players of a GAN: what each lowers, what each moves, the penalty by hand, and what is scored."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from polygraft.core.batch import Input, Inputs
from polygraft.core.errors import UserError
from polygraft.objectives.metrics.energy import energy_distance
from unlabelled_toys import Bent, answers, batch, learner, loss, scores

INPUTS = Inputs(numbers=3)
PHOTO = Input("image/photo", "image", (1, 4, 4), black=(-1.0,), white=(3.0,))
SMALL = {"latent": 2, "hidden": [7], "trunk": Bent}


def rows(count: int = 20):
    return batch(numbers=torch.randn(count, 3, generator=torch.Generator().manual_seed(0)))


def judged(learns, numbers):
    """The discriminator, by hand."""
    linear, out = learns.network.sharing.trunk.stages[0].linear, learns.network.heads["t"].out
    return out(torch.tanh(linear(numbers))).squeeze(1)


def drawn(learns, chance: int = 0):
    """The first thing a pass draws is its rows."""
    torch.manual_seed(chance)
    objective = learns.objective("t")
    return objective._drawn(objective.generator, torch.ones(20))


def test_the_first_paper_s_losses() -> None:
    learns = learner("gan", INPUTS, **SMALL)
    real, fake = judged(learns, rows().inputs["numbers"]).sigmoid(), judged(learns, drawn(learns)).sigmoid()
    assert_close(loss(learns, rows()), -(real.log() + (1 - fake).log()).mean())
    assert_close(loss(learns, rows(), "generator"), -fake.log().mean())


def test_the_gradient_penalty_is_autograd_s_by_hand() -> None:
    """Of D = w tanh(Ax + b) + c the gradient is ((1 - tanh^2) w) A."""
    learns = learner("gan", INPUTS, loss="wasserstein", penalty=3.0, **SMALL)
    real, fake = rows().inputs["numbers"], drawn(learns).detach()
    share = torch.rand(20, 1)
    linear, out = learns.network.sharing.trunk.stages[0].linear, learns.network.heads["t"].out
    inner = torch.tanh(linear(share * real + (1 - share) * fake))
    slope = ((1 - inner.square()) * out.weight) @ linear.weight
    wanted = judged(learns, fake) - judged(learns, real) + 3 * (slope.norm(dim=1) - 1).square()
    found = loss(learns, rows())
    assert_close(found, wanted.mean())
    learned = [*learns.network.parameters()]
    for one, other in zip(
        torch.autograd.grad(found, learned, allow_unused=True),
        torch.autograd.grad(wanted.mean(), learned, allow_unused=True),
        strict=True,
    ):
        assert_close(one if one is not None else torch.zeros(()), other if other is not None else torch.zeros(()))


def test_r1_is_half_the_squared_gradient_at_the_rows() -> None:
    learns = learner("gan", INPUTS, penalty=5.0, **SMALL)
    linear, out = learns.network.sharing.trunk.stages[0].linear, learns.network.heads["t"].out
    inner = torch.tanh(linear(rows().inputs["numbers"]))
    square = (((1 - inner.square()) * out.weight) @ linear.weight).square().sum(1).mean()
    assert_close(loss(learns, rows()) - loss(learner("gan", INPUTS, **SMALL), rows()), 2.5 * square)


def test_main_moves_the_network_and_the_generator_moves_itself() -> None:
    learns = learner("gan", INPUTS, **SMALL)
    objective = learns.objective("t")
    main, generator = objective.players
    assert {*learns.moved("t", main)} == {*learns.network.parameters()}
    assert {*learns.moved("t", generator)} == {*objective.generator.parameters()}
    loss(learns, rows()).backward()
    assert all(each.grad is None for each in objective.parameters())
    assert all(each.grad is not None for each in learns.network.parameters())


def test_the_critic_moves_more_often() -> None:
    assert [each.every for each in learner("gan", INPUTS, critic_steps=5).objective("t").players] == [1, 5]


def test_the_average_follows_the_generator() -> None:
    learns = learner("gan", INPUTS, average=0.5, **SMALL)
    objective = learns.objective("t")
    before = objective.average.out.weight.clone()
    with torch.no_grad():
        objective.generator.out.weight += 1
    objective.after_step(learns.network)
    assert_close(objective.average.out.weight, before + 1 - 2 / 11)
    for _ in range(60):
        objective.after_step(learns.network)
    assert_close(objective.average.out.weight, objective.generator.out.weight)
    assert not objective.average.out.weight.requires_grad


def test_energy_distance_is_nothing_between_equals_and_grows_with_the_shift() -> None:
    x = torch.randn(300, 2, dtype=torch.float64)
    assert energy_distance(x, x) == pytest.approx(0, abs=1e-12)
    assert 0 < energy_distance(x, x + 0.5) < energy_distance(x, x + 1)
    point = torch.zeros(1, 1, dtype=torch.float64)
    assert energy_distance(point, point + 3) == pytest.approx(6)


def test_a_generator_that_draws_the_mean_row_improves_nothing_and_one_that_draws_the_table_is_better() -> None:
    learns, table = learner("gan", INPUTS, latent=3, hidden=[]), rows(1500)
    out = learns.objective("t").average.out
    with torch.no_grad():
        out.weight.zero_()
        out.bias.copy_(table.inputs["numbers"].mean(0))
        assert scores(learns, table)["improvement"] == pytest.approx(0, abs=1e-6)
        out.weight.copy_(torch.eye(3))
        assert scores(learns, table)["improvement"] > 0.98
    assert all(map(math.isfinite, scores(learns, table).values()))


def test_drawn_images_are_normalised_as_the_table_s_are() -> None:
    learns = learner("gan", Inputs(others=(PHOTO,)), generator="image_decoder", hidden=[8, 4])
    photos = batch(image__photo=torch.rand(40, 1, 4, 4) * 4 - 1)
    objective = learns.objective("t")
    units = objective._drawn(objective.generator, torch.ones(40))
    assert 0 < units.min() < units.max() < 1
    inputs = objective.rows.inputs(units, photos.inputs)["image/photo"]
    assert -1 < inputs.min() < inputs.max() < 3
    loss(learns, photos, "generator").backward()
    assert all(each.grad.any() for each in objective.generator.parameters())
    (drawn,) = objective.exhibits(answers(learns, photos), *photos.asked("t"), photos.weights)
    assert drawn.arrays["pixels"].shape == (4, 8, 1, 4, 4)


@pytest.mark.parametrize(
    ("inputs", "settings", "words"),
    [
        (Inputs(numbers=2, categories=(3,)), {}, "it reads numbers and image, and the table has categories"),
        (Inputs(), {}, "no columns left"),
        (INPUTS, {"generator": "image_decoder"}, "draws the one image"),
        (
            Inputs(others=(PHOTO,)),
            {"generator": "image_decoder", "hidden": [8, 8, 8]},
            "4 x 4 pixels cannot be halved 3 times",
        ),
    ],
)
def test_a_table_that_no_generator_can_draw_is_refused(inputs: Inputs, settings: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        learner("gan", inputs, **settings)
