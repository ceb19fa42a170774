"""The autoencoder against principal components, its noise, what it gives back of each kind of column, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from polygraft.core.batch import Input, Inputs
from polygraft.core.errors import UserError
from unlabelled_toys import Bent, answers, batch, digits, few_digits, learner, loss, scores, settled

MIXED = Inputs(numbers=3, categories=(4, 6))
PHOTO = Input("image/photo", "image", (1, 4, 4), black=(-1.0,), white=(3.0,))


def mixed(rows: int = 40):
    chance = torch.Generator().manual_seed(0)
    codes = torch.stack([torch.randint(0, levels, (rows,), generator=chance) for levels in (4, 6)], 1).int()
    return batch(numbers=torch.randn(rows, 3, generator=chance), categories=codes)


@pytest.mark.parametrize(("k", "mse"), [(8, 0.023913), (16, 0.011044)])
def test_a_linear_one_comes_to_the_principal_components_and_not_below(k: int, mse: float) -> None:
    """Bourlard and Kamp 1988; the error of PCA is what the k largest eigenvalues leave (Eckart and Young 1936)."""
    rows = digits()
    spectrum = torch.linalg.eigvalsh(torch.cov(rows.T, correction=0))
    least = float(spectrum[:-k].sum() / 64)
    assert least == pytest.approx(mse, abs=5e-7)
    learns, few = learner("autoencoder", Inputs(numbers=64), code=k).double(), batch(numbers=few_digits())
    learns.objective("t").rows.wanted = lambda inputs: inputs["numbers"]  # in float64
    assert least * (1 - 1e-9) < settled(learns, few) < least * 1.01
    found = scores(learns, batch(numbers=rows))
    spread = float(rows.var(0, correction=0).sum() / 64)
    assert least * (1 - 1e-9) < found["mse"] < least * 1.01
    assert found["improvement"] == pytest.approx(1 - found["mse"] / spread, rel=1e-6)


def test_of_categories_it_is_the_cross_entropy_of_each() -> None:
    learns, rows = learner("autoencoder", MIXED), mixed()
    outputs = learns.network.view({"rows": rows}).outputs["t"]
    codes = rows.inputs["categories"].long()
    nats = cross_entropy(outputs[:, 3:7], codes[:, 0]) + cross_entropy(outputs[:, 7:], codes[:, 1])
    squares = (outputs[:, :3] - rows.inputs["numbers"]).square().mean(0).sum()
    assert_close(loss(learns, rows), (squares + nats) / 5)
    assert scores(learns, rows)["cross_entropy"] == pytest.approx(nats.item() / 2, rel=1e-5)


def test_the_best_constant_row_has_an_improvement_of_nothing() -> None:
    learns, rows = learner("autoencoder", MIXED), mixed()
    shares = [rows.inputs["categories"][:, i].bincount(minlength=levels) / 40 for i, levels in enumerate((4, 6))]
    out = learns.network.heads["t"].out
    out.weight.data.zero_()
    out.bias.data = torch.cat([rows.inputs["numbers"].mean(0), *(each.clamp(min=1e-9).log() for each in shares)])
    assert scores(learns, rows)["improvement"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("pixels", ["squared", "bernoulli"])
def test_pixels_are_shares_of_light_whatever_they_were_normalised_to(pixels: str) -> None:
    light = torch.rand(6, 1, 4, 4)
    learns = learner("autoencoder", Inputs(others=(PHOTO,)), pixels=pixels)
    rows = batch(image__photo=light * 4 - 1)
    objective = learns.objective("t")
    assert_close(objective.rows.wanted(rows.inputs), light.flatten(1))
    assert_close(objective.rows.inputs(light.flatten(1), rows.inputs)["image/photo"], rows.inputs["image/photo"])
    outputs = learns.network.view({"rows": rows}).outputs["t"]
    given = outputs.sigmoid() if pixels == "bernoulli" else outputs
    assert scores(learns, rows)["mse"] == pytest.approx((given - light.flatten(1)).square().mean().item(), rel=1e-5)
    (drawn,) = objective.exhibits(answers(learns, rows), *rows.asked("t"), rows.weights)
    assert (drawn.kind, drawn.arrays["pixels"].shape) == ("images", (2, 6, 1, 4, 4))


def test_masking_hides_what_is_read_and_nothing_of_what_is_given_back() -> None:
    learns, rows = learner("autoencoder", MIXED, noise="masking", level=1.0), mixed()
    hidden = learns.objective("t").seen(learns.network.view({"rows": rows}), "noisy")
    assert not any(each.any() for each in hidden.batch["rows"].inputs.values())
    assert hidden.batch["rows"].inputs["categories"].dtype == torch.int32
    out = learns.network.heads["t"].out
    out.weight.data.zero_()
    plain = learner("autoencoder", MIXED)
    plain.network.load_state_dict(learns.network.state_dict())
    assert_close(loss(learns, rows), loss(plain, rows))


def test_gaussian_noise_has_its_level_leaves_levels_alone_and_is_another_in_each_pass() -> None:
    learns, rows = learner("autoencoder", MIXED, trunk=Bent, noise="gaussian", level=0.5), mixed(3000)
    seen = learns.objective("t").seen(learns.network.view({"rows": rows}), "noisy").batch["rows"].inputs
    assert float((seen["numbers"] - rows.inputs["numbers"]).std()) == pytest.approx(0.5, rel=0.05)
    assert torch.equal(seen["categories"], rows.inputs["categories"])
    assert torch.equal(loss(learns, rows, chance=1), loss(learns, rows, chance=1))
    assert not torch.equal(loss(learns, rows, chance=1), loss(learns, rows, chance=2))


def test_one_noisy_pass_is_made_however_often_it_is_asked_for() -> None:
    learns, rows = learner("autoencoder", MIXED, noise="gaussian"), mixed()
    view, objective = learns.network.view({"rows": rows}), learns.objective("t")
    assert objective.seen(view, "noisy") is objective.seen(view, "noisy")
    assert objective.seen(view, "plain") is view


def test_predictions_are_an_error_and_a_code_of_each_row() -> None:
    learns, rows = learner("autoencoder", MIXED, code=2), mixed()
    found = learns.objective("t").predict(answers(learns, rows))
    assert {name: each.shape for name, each in found.items()} == dict.fromkeys(
        ("t_error", "t_code_0", "t_code_1"), (40,)
    )


@pytest.mark.parametrize(
    ("inputs", "settings", "words"),
    [
        (Inputs(others=(Input("tokens/review", "tokens", (None,), 9, 50),)), {}, "the table has tokens/review"),
        (Inputs(), {}, "no columns left"),
        (MIXED, {"pixels": "bernoulli"}, "bernoulli is of images"),
    ],
)
def test_what_it_cannot_give_back_is_refused(inputs: Inputs, settings: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        learner("autoencoder", inputs, **settings)
