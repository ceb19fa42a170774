"""Autoencoders, Hinton and Salakhutdinov 2006 (https://doi.org/10.1126/science.1127647); denoising: Vincent et al. 2008 (https://doi.org/10.1145/1390156.1390294)."""

from __future__ import annotations

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


class Autoencoder(Objective):
    """Give back a row's own numbers, categories and pixels from what the backbone makes of it; the head is the decoder.

    The loss is a mean over units: squared errors of standardised numbers and of pixels from 0 to 1, nats of categories.
    code: numbers that a row is squeezed to, linearly, before the head; null is none, the backbone's width then being the code.
    noise: what is done to the rows that are read, never to those that are given back: `gaussian` adds deviations of `level`,
        `masking` hides a share of `level`: numbers at their mean, levels unknown, pixels black.
    level: of the noise, in standard deviations of a number and parts of a pixel's range, or a share.
    pixels: `squared` errors, or `bernoulli`, each pixel's light a probability.
    """

    better = {"mse": "min", "cross_entropy": "min", "improvement": "max"}  # noqa: RUF012 - a fact, read as a literal

    def __init__(
        self,
        task: str,
        inputs: Inputs,
        /,
        code: Annotated[int | None, Range(min=1)] = None,
        noise: Literal["none", "gaussian", "masking"] = "none",
        level: Annotated[float, Range(min=0)] = 0.3,
        pixels: Literal["squared", "bernoulli"] = "squared",
    ) -> None:
        super().__init__()
        self.task, self.code, self.noise, self.level = task, code or 0, noise, level
        self.rows = Units(inputs, pixels == "bernoulli")
        self.outputs = self.rows.size
        self.views = ("plain",) if noise == "none" else ("noisy",)
        self.squeeze: nn.Module = nn.Identity()

    @property
    def width(self) -> int:
        """Units, outputs, code."""
        return self.rows.units + self.outputs + self.code

    def stand_on(self, offer: Offer) -> Offer:
        """A code of a vector. Raises UserError where the backbone offers none."""
        if not self.code:
            return offer
        self.squeeze = nn.Linear(vector_of(offer), self.code)
        return Offer("vector", self.code)

    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """Of a row the mean over its units."""
        rows = batch[view.network.tables[self.task]]
        outputs, _ = self._decoded(self.seen(view, self.views[0]))
        return Loss.over_rows(self.rows.losses(exact(outputs), self.rows.wanted(rows.inputs)).mean(1), rows.weights)

    def answers(self, view: View) -> Tensor:
        """[rows, units + outputs + code]: what was to be given back, the raw outputs, and the code; of rows without noise."""
        outputs, code = self._decoded(view)
        return torch.cat([self.rows.wanted(view.inputs(self.task)), outputs, *([code] if self.code else [])], 1)

    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """`<task>_error`, the row's loss, which is large where a row is like no other; `<task>_code_0` and so on."""
        wanted, raw, code = self._parts(exact(outputs))
        errors = {f"{self.task}_error": self.rows.losses(raw, wanted).mean(1)}
        columns = errors | {f"{self.task}_code_{i}": each for i, each in enumerate(code.unbind(1))}
        return {name: each.cpu().numpy() for name, each in columns.items()}

    def scores(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> dict[str, float]:
        """MSE of numbers and pixels, cross-entropy of all else, each a mean over units; improvement over the best constant row."""
        found, _, weights = scored(outputs, targets, present, weights)
        wanted, raw, _ = self._parts(found)
        return self.rows.scores(raw, wanted, weights) if len(found) else {}

    def exhibits(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> list[Exhibit]:
        """Images beside what is given back of them, and where rows lie by their code's first two numbers."""
        found, _, _ = scored(outputs, targets, present, weights)
        wanted, raw, code = self._parts(found.float())
        drawn = pictures.pairs(self.task, self.rows, wanted, raw) if len(found) else []
        return drawn + (pictures.places(self.task, code) if self.code > 1 and len(found) else [])

    def corrupt(self, inputs: Mapping[str, Tensor], view: str) -> Mapping[str, Tensor]:
        """The noise; it is drawn for each row and unit."""
        units = self.rows.wanted(inputs)
        if self.noise == "gaussian":
            kept = units[:, self.rows.numbers : self.rows.numbers + len(self.rows.levels)]
            noisy = units + self.level * torch.randn_like(units)
            noisy[:, self.rows.numbers : self.rows.numbers + len(self.rows.levels)] = kept
            return self.rows.inputs(noisy, inputs)
        return self.rows.inputs(units * (torch.rand_like(units) >= self.level), inputs)

    def _decoded(self, view: View) -> tuple[Tensor, Tensor]:
        """(raw outputs [rows, size], code [rows, code] where there is one)."""
        if not self.code:
            return view.outputs[self.task], torch.empty(0)
        code = self.squeeze(view.features[self.task].vector)
        return view.headed(self.task, Features(vector=code)), code

    def _parts(self, answers: Tensor) -> tuple[Tensor, ...]:
        return answers.split([self.rows.units, self.outputs, self.code], 1)
