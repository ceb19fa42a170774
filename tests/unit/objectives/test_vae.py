"""The variational autoencoder against torch's divergence, probabilistic PCA, and the order of its bounds."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Bernoulli, Categorical, Normal, kl_divergence
from torch.testing import assert_close

from polygraft.core.batch import Input, Inputs
from polygraft.core.errors import UserError
from polygraft.core.features import Offer
from polygraft.objectives.vae import divergence
from polygraft.training.learner import Learner
from unlabelled_toys import Bent, answers, batch, digits, learner, loss, scores

PHOTO = Input("image/photo", "image", (1, 2, 2))


def test_the_divergence_is_that_of_torch() -> None:
    mean, log_variance = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    codes = Normal(mean, (0.5 * log_variance).exp())
    wanted = kl_divergence(codes, Normal(torch.zeros_like(mean), torch.ones_like(mean))).sum(1)
    assert_close(divergence(mean, log_variance), wanted)


@pytest.mark.parametrize("pixels", ["squared", "bernoulli"])
def test_surprise_is_the_negative_log_likelihood_of_each_unit(pixels: str) -> None:
    inputs = Inputs(numbers=2, categories=(3,), others=(PHOTO,))
    objective = learner_of(inputs, pixels=pixels, variance=0.7)
    outputs = torch.randn(6, 9)
    numbers, codes, light = torch.randn(6, 2), torch.randint(0, 3, (6, 1)), torch.randint(0, 2, (6, 4)).float()
    known = Normal(outputs[:, :2], math.sqrt(0.7)).log_prob(numbers).sum(1)
    known += Categorical(logits=outputs[:, 2:5]).log_prob(codes[:, 0])
    lights = Bernoulli(logits=outputs[:, 5:]) if pixels == "bernoulli" else Normal(outputs[:, 5:], math.sqrt(0.7))
    known += lights.log_prob(light).sum(1)
    assert_close(objective.surprise(outputs, torch.cat([numbers, codes, light], 1)), -known)


def learner_of(inputs: Inputs, **settings):
    from polygraft.objectives import registry

    return registry.make("vae", settings, task="t", inputs=inputs)


def principal(k: int) -> tuple[Learner, float]:
    """A linear one at the optimum of Lucas et al. 2019, and the log likelihood of probabilistic PCA (Tipping and Bishop 1999)."""
    rows = digits()
    values, vectors = torch.linalg.eigh(torch.cov(rows.T, correction=0))
    top, axes, noise = values[-k:], vectors[:, -k:], values[:-k].mean()
    loadings = axes * (top - noise).sqrt()
    whole = loadings @ loadings.T + noise * torch.eye(64)
    likelihood = torch.distributions.MultivariateNormal(rows.mean(0), whole).log_prob(rows).mean()
    learns = learner("vae", Inputs(numbers=64), latent=k, samples=4)
    encode, out = learns.objective("t").encode, learns.network.heads["t"].out
    back = loadings.T / top[:, None]
    with torch.no_grad():
        encode.weight.copy_(torch.cat([back, torch.zeros(k, 64)]))
        encode.bias.copy_(torch.cat([-back @ rows.mean(0), (noise / top).log()]))
        out.weight.copy_(loadings)
        out.bias.copy_(rows.mean(0))
        learns.objective("t").log_variance.copy_(noise.log())
    return learns, likelihood.item()


@pytest.mark.parametrize(("k", "nats"), [(8, 14.2098), (16, 23.9294)])
def test_a_linear_one_s_best_bound_is_the_likelihood_of_probabilistic_pca(k: int, nats: float) -> None:
    """The posterior is then exact, and so every importance weight is the likelihood itself."""
    learns, likelihood = principal(k)
    assert likelihood == pytest.approx(nats, abs=5e-5)
    rows = batch(numbers=digits().float())
    found = scores(learns, rows)
    assert found["importance_bound"] == pytest.approx(nats, abs=1e-3)
    assert found["elbo"] == pytest.approx(nats, abs=0.1)
    assert -loss(learns.train(), rows).item() == pytest.approx(nats, abs=0.2)


def test_from_there_no_way_leads_up() -> None:
    learns, likelihood = principal(8)
    rows = batch(numbers=digits().float())
    torch.manual_seed(1)
    best = {name: each.clone() for name, each in learns.named_parameters()}
    for name, each in learns.named_parameters():
        with torch.no_grad():
            each.add_(0.1 * torch.randn_like(each) * each.abs().mean())
            assert scores(learns, rows)["importance_bound"] < likelihood + 1e-3, name
            each.copy_(best[name])


def test_more_samples_raise_the_importance_bound_and_it_is_never_below_the_elbo() -> None:
    rows, found = batch(numbers=torch.randn(400, 5)), []
    for samples in (1, 4, 64):
        learns = learner("vae", Inputs(numbers=5), trunk=Bent, latent=3, samples=samples, variance=0.3)
        found.append(scores(learns, rows))
    bounds = [each["importance_bound"] for each in found]
    assert bounds == sorted(bounds)
    assert bounds[-1] > found[-1]["elbo"] + 0.1


def test_beta_weighs_the_divergence_alone() -> None:
    rows, found = batch(numbers=torch.randn(30, 5)), []
    for beta in (0.0, 1.0, 4.0):
        found.append(loss(learner("vae", Inputs(numbers=5), beta=beta), rows).item())
    assert found[2] - found[0] == pytest.approx(4 * (found[1] - found[0]), rel=1e-4)


def test_a_fixed_variance_does_not_learn_and_a_learned_one_finds_the_noise() -> None:
    assert "objectives.t.log_variance" not in dict(learner("vae", Inputs(numbers=5), variance=2.0).named_parameters())
    learns = learner("vae", Inputs(numbers=5), latent=1)
    moves, rows = torch.optim.Adam([learns.objective("t").log_variance], lr=0.1), batch(numbers=torch.randn(500, 5) / 4)
    with torch.no_grad():
        for each in learns.network.heads["t"].parameters():
            each.zero_()
    for _ in range(80):
        moves.zero_grad()
        loss(learns, rows).backward()
        moves.step()
    assert learns.objective("t").log_variance.exp().item() == pytest.approx(1 / 16, rel=0.1)


def test_predictions_and_pictures() -> None:
    learns, rows = (
        learner("vae", Inputs(others=(PHOTO,)), pixels="bernoulli", latent=2),
        batch(image__photo=torch.rand(40, 1, 2, 2)),
    )
    objective, found = learns.objective("t"), answers(learns, rows)
    assert found.shape == (40, objective.width)
    assert {name: len(each) for name, each in objective.predict(found).items()} == dict.fromkeys(
        ("t_bound", "t_code_0", "t_code_1"), 40
    )
    kinds = [each.kind for each in objective.exhibits(found, *rows.asked("t"), rows.weights)]
    assert kinds == ["images", "images", "scatter"]


def test_a_backbone_without_a_vector_is_refused() -> None:
    with pytest.raises(UserError, match="stands on a vector, and the backbone offers maps"):
        learner_of(Inputs(numbers=3)).stand_on(Offer("maps", 8))
