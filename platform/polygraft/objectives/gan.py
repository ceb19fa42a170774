"""Generative adversarial networks, Goodfellow et al. 2014 (https://arxiv.org/abs/1406.2661); Gulrajani et al. 2017 (https://arxiv.org/abs/1704.00028)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from polygraft.core.batch import Batch, Inputs
from polygraft.core.catalogue import Range
from polygraft.core.exhibits import Exhibit
from polygraft.core.features import Features, Offer
from polygraft.models.heads import registry as heads
from polygraft.models.network import Network, View
from polygraft.objectives import pictures
from polygraft.objectives.base import Loss, Objective, Player, exact, scored
from polygraft.objectives.metrics.energy import energy_distance
from polygraft.objectives.reconstruction import Units, refuse_unreadable


class GAN(Objective):
    """Two players: a generator draws rows, and the backbone with this task's head (`main`) tells them from the table's.

    The balancer acts on `main`; the generator is the objective's own, and moves after it, with an optimiser of its own.
    latent: numbers that a row is drawn from, standard normal ones.
    loss: `non_saturating`, section 3 of the first paper; `wasserstein` with a gradient penalty, the second's algorithm 1.
    penalty: null is 10 for `wasserstein`, where the gradient's norm between rows and drawn ones is held to 1, and 0 for
        `non_saturating`, where half its square at the rows is held to 0 (R1, Mescheder et al. 2018, https://arxiv.org/abs/1801.04406).
    critic_steps: steps of `main` for each of the generator's.
    generator: `dense` on a table's numbers or pixels, `image_decoder` on its one image.
    hidden: units of each of its hidden layers, or the channels of its maps.
    average: decay of the moving average of the generator's weights that is scored and drawn from, at its end; 0 is none.
    """

    better = {"energy_distance": "min", "improvement": "max"}  # noqa: RUF012 - a fact, read as a literal
    views = ("plain", "drawn")
    players = (Player("main", ("shared", "own")), Player("generator", ("objective",)))

    moves: Tensor

    def __init__(
        self,
        task: str,
        inputs: Inputs,
        /,
        latent: Annotated[int, Range(min=1)] = 16,
        loss: Literal["non_saturating", "wasserstein"] = "non_saturating",
        penalty: Annotated[float | None, Range(min=0)] = None,
        critic_steps: Annotated[int, Range(min=1)] = 1,
        generator: Literal["dense", "image_decoder"] = "dense",
        hidden: Annotated[Sequence[int], Range(min=1)] = (128, 128),
        average: Annotated[float, Range(min=0, below=1)] = 0.999,
    ) -> None:
        super().__init__()
        refuse_unreadable(inputs, "numbers", "image")  # no gradient goes through a level
        self.task, self.latent, self.outputs = task, latent, 1
        self.wasserstein, self.decay = loss == "wasserstein", average
        self.penalty = (10.0 if self.wasserstein else 0.0) if penalty is None else penalty
        self.players = (self.players[0], Player("generator", ("objective",), critic_steps))
        self.rows = Units(inputs, bernoulli=bool(inputs.others))
        settings = {"hidden" if generator == "dense" else "channels": list(hidden)}
        offer = Offer("vector", latent)
        self.generator = heads.make(generator, settings, offer=offer, size=self.rows.size, inputs=inputs)
        self.average = deepcopy(self.generator).requires_grad_(False)
        self.register_buffer("moves", torch.zeros((), dtype=torch.int64))

    @property
    def width(self) -> int:
        """How real, the row's units, the units of a row that was drawn."""
        return 1 + 2 * self.rows.units

    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """Each row stands beside one that is drawn; a row's weight is both's."""
        weights = batch[view.network.tables[self.task]].weights
        if player == "generator":
            drawn = self._judged(view, "drawn", self._drawn(self.generator, weights))
            return Loss.over_rows(-drawn if self.wasserstein else softplus(-drawn), weights)
        with torch.no_grad():
            units = self._drawn(self.generator, weights)
        real, drawn = exact(view.outputs[self.task]).squeeze(1), self._judged(view, "drawn", units)
        rows = drawn - real if self.wasserstein else softplus(-real) + softplus(drawn)
        return Loss.over_rows(rows + self.penalty * self._slope(view, units) if self.penalty else rows, weights)

    def after_step(self, network: Network) -> None:
        """The moving average follows; in its youth it forgets faster, so that it is not of the first weights for long."""
        self.moves += 1
        decay = min(self.decay, float(1 + self.moves) / float(10 + self.moves))
        with torch.no_grad():
            for kept, now in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                kept.lerp_(now, 1 - decay)

    def answers(self, view: View) -> Tensor:
        """[rows, 1 + 2 units]: how real the row is, the row, and one that is drawn."""
        real, units = view.outputs[self.task], self.rows.wanted(view.inputs(self.task))
        return torch.cat([real, units, self._drawn(self.average, units[:, 0])], 1)

    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """`<task>_real`: a probability, of `wasserstein` a height in no unit."""
        real = exact(outputs)[:, 0]
        return {f"{self.task}_real": (real if self.wasserstein else real.sigmoid()).cpu().numpy()}

    def scores(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> dict[str, float]:
        """How far drawn rows are from the table's; improvement over drawing the mean row. Of at most 2,000 rows evenly apart."""
        found, _, _ = scored(outputs, targets, present, weights)
        if len(found) < 2:
            return {}
        real, drawn = found[pictures.evenly(len(found), 2000), 1:].chunk(2, 1)
        distance, constant = energy_distance(real, drawn), energy_distance(real, real.mean(0, keepdim=True))
        return {"energy_distance": distance} | ({"improvement": 1 - distance / constant} if constant > 1e-12 else {})

    def exhibits(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> list[Exhibit]:
        """Images that were drawn; of numbers the first two, of drawn rows and of the table's."""
        found, _, _ = scored(outputs, targets, present, weights)
        if not len(found):
            return []
        real, drawn = found[:, 1:].float().chunk(2, 1)
        beside = pictures.beside(self.task, real, drawn) if self.rows.numbers > 1 else []
        return pictures.samples(self.task, self.rows, drawn) + beside

    def _drawn(self, generator: nn.Module, like: Tensor) -> Tensor:
        """Units [rows, units] of as many rows as `like` has."""
        z = torch.randn(len(like), self.latent, device=like.device)
        return self.rows.given(exact(generator(Features(vector=z))))

    def _judged(self, view: View, name: str, units: Tensor) -> Tensor:
        """How real [rows] the network finds rows of these units."""
        seen = view.seen(self.task, name, lambda inputs: self.rows.inputs(units, inputs))
        return exact(seen.outputs[self.task]).squeeze(1)

    def _slope(self, view: View, drawn: Tensor) -> Tensor:
        """[rows]: what the penalty weighs."""
        real, keep = self.rows.wanted(view.inputs(self.task)), torch.is_grad_enabled()
        share = torch.rand(len(real), 1, device=real.device) if self.wasserstein else torch.ones_like(real[:, :1])
        with torch.enable_grad():
            at = (share * real + (1 - share) * drawn).requires_grad_()
            (slope,) = torch.autograd.grad(self._judged(view, "between", at).sum(), at, create_graph=keep)
        square = slope.square().sum(1)
        return ((square + 1e-12).sqrt() - 1).square() if self.wasserstein else square / 2
