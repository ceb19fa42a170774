"""Variational autoencoder, Kingma and Welling 2014 (https://arxiv.org/abs/1312.6114); beta: Higgins et al. 2017 (https://openreview.net/forum?id=Sy2fzU9gl)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor, nn

from polygraft.core.batch import Batch, Inputs
from polygraft.core.catalogue import Range
from polygraft.core.exhibits import Exhibit
from polygraft.core.features import Features, Offer
from polygraft.models.network import View
from polygraft.objectives import pictures
from polygraft.objectives.base import Loss, Objective, exact, scored, vector_of
from polygraft.objectives.reconstruction import Units


class VAE(Objective):
    """A code of which any is likely, and rows like the table's drawn from it; the backbone encodes, the head decodes.

    The loss is a row's negative evidence lower bound in nats: its reconstruction plus beta times the divergence of its code from
    the standard normal one. Numbers, and pixels that are `squared`, are normal around what is given back.
    latent: numbers of the code. beta: above 1 more of them are left unused, and the others tend to stand for one thing each.
    variance: of what is normal around its mean, one for all units; null learns it.
    pixels: `squared`, or `bernoulli`, each pixel's light a probability.
    samples: of the code, at evaluation, in the importance-weighted bound (Burda et al. 2016, https://arxiv.org/abs/1509.00519).
    """

    better = {  # noqa: RUF012 - a fact, read as a literal
        "elbo": "max",
        "importance_bound": "max",
        "reconstruction": "min",
        "kl": "min",
        "mse": "min",
        "cross_entropy": "min",
        "improvement": "max",
    }

    log_variance: Tensor

    def __init__(
        self,
        task: str,
        inputs: Inputs,
        /,
        latent: Annotated[int, Range(min=1)] = 8,
        beta: Annotated[float, Range(min=0)] = 1.0,
        variance: Annotated[float | None, Range(above=0)] = None,
        pixels: Literal["squared", "bernoulli"] = "squared",
        samples: Annotated[int, Range(min=1)] = 16,
    ) -> None:
        super().__init__()
        self.task, self.latent, self.beta, self.samples = task, latent, beta, samples
        self.rows = Units(inputs, pixels == "bernoulli")
        self.outputs = self.rows.size
        start = torch.tensor(math.log(variance or 1.0))
        if variance is None and self.rows.normal.any():
            self.log_variance = nn.Parameter(start)
        else:
            self.register_buffer("log_variance", start)
        self.encode: nn.Module = nn.Identity()

    @property
    def width(self) -> int:
        """Units, outputs at the code's mean, outputs of a code drawn anew, the code's mean, three nats."""
        return self.rows.units + 2 * self.outputs + self.latent + 3

    def stand_on(self, offer: Offer) -> Offer:
        """Mean and log variance of the code, linear in the backbone's vector; the head reads the code."""
        self.encode = nn.Linear(vector_of(offer), 2 * self.latent)
        return Offer("vector", self.latent)

    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """The negative evidence lower bound of each row, from one draw of its code."""
        rows = batch[view.network.tables[self.task]]
        mean, log_variance = self.posterior(view)
        outputs = view.headed(self.task, Features(vector=_drawn(mean, log_variance)))
        nats = self.surprise(exact(outputs), self.rows.wanted(rows.inputs))
        return Loss.over_rows(nats + self.beta * divergence(exact(mean), exact(log_variance)), rows.weights)

    def posterior(self, view: View) -> tuple[Tensor, Tensor]:
        """(mean, log variance) [rows, latent] of each row's code."""
        mean, log_variance = self.encode(view.features[self.task].vector).chunk(2, 1)
        return mean, log_variance

    def surprise(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """[rows]: nats of what should be given back, as outputs [rows, size] see it."""
        losses = self.rows.losses(outputs, wanted)
        normal = 0.5 * (losses / self.log_variance.exp() + self.log_variance + math.log(2 * math.pi))
        return torch.where(self.rows.normal, normal, losses).sum(1)

    def answers(self, view: View) -> Tensor:
        """[rows, units + 2 outputs + latent + 3]: as `width` says; the nats are reconstruction, divergence, importance bound."""
        wanted = self.rows.wanted(view.inputs(self.task))
        mean, log_variance = self.posterior(view)
        at_mean, anew = (view.headed(self.task, Features(vector=z)) for z in (mean, torch.randn_like(mean)))
        surprises, weights = [], []
        for _ in range(self.samples):
            z = _drawn(mean, log_variance)
            surprises.append(self.surprise(view.headed(self.task, Features(vector=z)), wanted))
            apart = (z - mean).square() / log_variance.exp() + log_variance - z.square()
            weights.append(0.5 * apart.sum(1) - surprises[-1])  # log p(x, z) - log q(z | x)
        bound = torch.stack(weights).logsumexp(0) - math.log(self.samples)
        nats = torch.stack([torch.stack(surprises).mean(0), divergence(mean, log_variance), bound], 1)
        return torch.cat([wanted, at_mean, anew, mean, nats], 1)

    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """`<task>_bound`, a lower bound of the row's log likelihood in nats, and `<task>_code_0` and so on."""
        _, _, _, code, nats = self._parts(outputs)
        columns = {f"{self.task}_bound": nats[:, 2]}
        columns |= {f"{self.task}_code_{i}": each for i, each in enumerate(code.unbind(1))}
        return {name: each.float().cpu().numpy() for name, each in columns.items()}

    def scores(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> dict[str, float]:
        """The bound and its parts in nats a row; and how good the row at the code's mean is, as an autoencoder's is scored."""
        found, _, weights = scored(outputs, targets, present, weights)
        if not len(found):
            return {}
        wanted, at_mean, _, _, nats = self._parts(found)
        reconstruction, kl, bound = (float(each) for each in weights @ nats / weights.sum())
        told = {"elbo": -reconstruction - kl, "importance_bound": bound, "reconstruction": reconstruction, "kl": kl}
        return told | self.rows.scores(at_mean, wanted, weights)

    def exhibits(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> list[Exhibit]:
        """Images beside their reconstructions, images drawn anew, and where rows lie by their code's first two numbers."""
        found, _, _ = scored(outputs, targets, present, weights)
        if not len(found):
            return []
        wanted, at_mean, anew, code, _ = self._parts(found.float())
        drawn = [
            *pictures.pairs(self.task, self.rows, wanted, at_mean),
            *pictures.samples(self.task, self.rows, self.rows.given(anew)),
        ]
        return drawn + (pictures.places(self.task, code) if self.latent > 1 else [])

    def _parts(self, answers: Tensor) -> tuple[Tensor, ...]:
        return answers.split([self.rows.units, self.outputs, self.outputs, self.latent, 3], 1)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """[rows]: Kullback and Leibler's, in nats, of normal codes [rows, latent] from the standard normal one (appendix B)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)


def _drawn(mean: Tensor, log_variance: Tensor) -> Tensor:
    return mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
