"""Masked modelling: of columns, Yoon et al. 2020, VIME (https://papers.nips.cc/paper/2020/hash/7d97667a3e056acab9aaf653807b4a03-Abstract.html); of patches, He et al. 2022 (https://arxiv.org/abs/2111.06377)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from polygraft.core.batch import Batch, Inputs
from polygraft.core.catalogue import Range
from polygraft.core.exhibits import Exhibit
from polygraft.models.network import View
from polygraft.objectives import pictures
from polygraft.objectives.base import Loss, Objective, exact, scored
from polygraft.objectives.reconstruction import Units, shape_of


class Masked(Objective):
    """Guess the columns of a row, and the patches of its images, that are hidden from the backbone, from all that is left.

    The loss is a mean over what is hidden: squared errors of standardised numbers and of pixels, nats of categories.
    share: how much of a row is hidden, each column and patch by its own chance.
    fill: what stands where something is hidden: `mean`, numbers at their mean, levels unknown, pixels black; `marginal`, what
        another row of the batch's shard has there, so that what is hidden cannot be told by looking at it alone.
    patch: pixels of the side of a patch.
    pixels: `squared` errors, or `bernoulli`, each pixel's light a probability.
    """

    better = {"mse": "min", "cross_entropy": "min", "improvement": "max"}  # noqa: RUF012 - a fact, read as a literal
    views = ("masked",)

    def __init__(
        self,
        task: str,
        inputs: Inputs,
        /,
        share: Annotated[float, Range(above=0, below=1)] = 0.3,
        fill: Literal["mean", "marginal"] = "mean",
        patch: Annotated[int, Range(min=1)] = 4,
        pixels: Literal["squared", "bernoulli"] = "squared",
    ) -> None:
        super().__init__()
        self.task, self.share, self.marginal, self.patch = task, share, fill == "marginal", patch
        self.rows = Units(inputs, pixels == "bernoulli")
        self.outputs = self.rows.size

    @property
    def width(self) -> int:
        """Units, outputs, and which units were hidden."""
        return 2 * self.rows.units + self.outputs

    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """Of what is hidden; a row counts as often as it has hidden units."""
        rows = batch[view.network.tables[self.task]]
        outputs, hidden = self._guessed(view)
        wanted = self.rows.wanted(rows.inputs)
        losses = torch.where(hidden, self.rows.losses(exact(outputs), wanted), 0.0)
        return Loss((losses.sum(1) * rows.weights).sum(), (hidden.sum(1) * rows.weights).sum())

    def answers(self, view: View) -> Tensor:
        """[rows, units + outputs + units]: what was to be given back, the guess, and 1 where it was one."""
        outputs, hidden = self._guessed(view)
        return torch.cat([self.rows.wanted(view.inputs(self.task)), outputs, hidden.to(outputs.dtype)], 1)

    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """`<task>_error`: the row's mean loss where something of it was hidden, 0 where nothing was."""
        wanted, raw, hidden = self._parts(exact(outputs))
        losses = (self.rows.losses(raw, wanted) * hidden).sum(1) / hidden.sum(1).clamp(min=1)
        return {f"{self.task}_error": losses.cpu().numpy()}

    def scores(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> dict[str, float]:
        """MSE of hidden numbers and pixels, cross-entropy of all else that is hidden; improvement over the best constant row."""
        found, _, weights = scored(outputs, targets, present, weights)
        wanted, raw, hidden = self._parts(found)
        return self.rows.scores(raw, wanted, weights, asked=hidden) if len(found) else {}

    def exhibits(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> list[Exhibit]:
        """Images, what was left of them, and with the guesses in place."""
        found, _, _ = scored(outputs, targets, present, weights)
        if not len(found):
            return []
        at = pictures.evenly(len(found), pictures.COLUMNS)
        wanted, raw, hidden = self._parts(found[at].float())
        lines = [wanted, wanted * (1 - hidden), torch.where(hidden > 0, self.rows.given(raw), wanted)]
        return pictures.images(f"{self.task}: images, what is left, guesses", self.rows, lines)

    def _guessed(self, view: View) -> tuple[Tensor, Tensor]:
        """(raw outputs [rows, size] of what is left of the rows, bool [rows, units]: what is hidden)."""
        units = self.rows.wanted(view.inputs(self.task))
        hidden = torch.cat([part < self.share for part in self._chances(units)], 1)
        other = units[torch.randperm(len(units), device=units.device)] if self.marginal else torch.zeros_like(units)
        left = torch.where(hidden, other, units)
        seen = view.seen(self.task, "masked", lambda inputs: self.rows.inputs(left, inputs))
        return seen.outputs[self.task], hidden

    def _chances(self, units: Tensor) -> list[Tensor]:
        """Uniform [rows, units of a part] of the columns and of each image, equal within a patch."""
        count = units.new_empty(len(units), self.rows.numbers + len(self.rows.levels))
        parts = [torch.rand_like(count)]
        for image in self.rows.images:
            channels, height, width = shape_of(image)
            small = torch.rand(len(units), 1, -(-height // self.patch), -(-width // self.patch), device=units.device)
            large = small.repeat_interleave(self.patch, 2).repeat_interleave(self.patch, 3)
            parts.append(large[:, :, :height, :width].expand(-1, channels, -1, -1).flatten(1))
        return parts

    def _parts(self, answers: Tensor) -> tuple[Tensor, ...]:
        return answers.split([self.rows.units, self.outputs, self.rows.units], 1)
