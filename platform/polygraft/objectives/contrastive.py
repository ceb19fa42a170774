"""Contrastive learning, Chen et al. 2020, SimCLR (https://arxiv.org/abs/2002.05709), equation 1; of columns as Bahri et al. 2022, SCARF (https://arxiv.org/abs/2106.15147)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from polygraft.core.batch import Batch, Inputs
from polygraft.core.catalogue import Range
from polygraft.models.network import View
from polygraft.objectives.augmentation import mirrored, shifted
from polygraft.objectives.base import Loss, Objective, exact, scored
from polygraft.objectives.reconstruction import Units

BLOCK = 256
"""Rows that are told apart at evaluation; fixed, for the loss grows with their number."""


class Contrastive(Objective):
    """A row seen in two ways lies closer to itself than to any other row of its shard; the head projects to where that is asked.

    This loss is no sum over rows: negatives are those of the same shard, each shard's is a mean over its rows' weights and weighs
    1. So it does depend on `train.shards`, never on the workers; fewer shards have more negatives.
    size: numbers of the projection. temperature: the smaller, the more the nearest negatives count.
    swap: share of a row's columns that are taken from another row. noise: deviations that are added to its numbers and pixels.
    shift: pixels that an image moves at most, each way, its edge drawn out. mirror: whether half of the images are mirrored.
    """

    better = {"top1": "max", "loss": "min", "improvement": "max"}  # noqa: RUF012 - a fact, read as a literal
    views = ("one", "two")

    def __init__(
        self,
        task: str,
        inputs: Inputs,
        /,
        size: Annotated[int, Range(min=1)] = 64,
        temperature: Annotated[float, Range(above=0)] = 0.5,
        swap: Annotated[float, Range(min=0, max=1)] = 0.3,
        noise: Annotated[float, Range(min=0)] = 0.1,
        shift: Annotated[int, Range(min=0)] = 2,
        mirror: bool = False,
    ) -> None:
        super().__init__()
        self.task, self.outputs, self.temperature = task, size, temperature
        self.swap, self.noise, self.shift, self.mirror = swap, noise, shift, mirror
        self.rows = Units(inputs)

    @property
    def width(self) -> int:
        """The row's projection, and that of both its views."""
        return 3 * self.outputs

    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """A shard's mean; 1 is its weight, 0 where all of its rows weigh nothing."""
        weights = batch[view.network.tables[self.task]].weights
        one, two = (exact(self.seen(view, name).outputs[self.task]) for name in self.views)
        mean = nt_xent(one, two, self.temperature) @ weights / weights.sum().clamp(min=1e-12)
        return Loss(mean, (weights.sum() > 0).to(mean.dtype))

    def answers(self, view: View) -> Tensor:
        """[rows, 3 size]: the projections of the row as it is, and of two views of it."""
        views = [view, *(self.seen(view, name) for name in self.views)]
        return torch.cat([each.outputs[self.task] for each in views], 1)

    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """`<task>_0` and so on: the row's projection, of length 1."""
        found = normalize(exact(outputs).chunk(3, 1)[0], dim=1)
        return {f"{self.task}_{i}": each.cpu().numpy() for i, each in enumerate(found.unbind(1))}

    def scores(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> dict[str, float]:
        """Among 256 rows at a time, in the table's order: how often a view's nearest is the row's other view, and the loss.

        The improvement is over projections that are all alike, whose loss is log(2 n - 1).
        """
        found, _, _ = scored(outputs, targets, present, weights)
        told = [self._block(block) for block in found.split(BLOCK) if len(block) > 1]
        if not told:
            return {}
        rows, right, loss, constant = torch.tensor(told, dtype=torch.float64).sum(0).tolist()
        return {"top1": right / rows, "loss": loss / rows, "improvement": 1 - loss / constant}

    def corrupt(self, inputs: Mapping[str, Tensor], view: str) -> Mapping[str, Tensor]:
        """Columns swapped, noise added, images moved and mirrored; each view by a draw of its own."""
        units = self.rows.wanted(inputs)
        columns = torch.arange(self.rows.units, device=units.device) < self.rows.units - self.rows.pixels
        other = units[torch.randperm(len(units), device=units.device)]
        units = torch.where((torch.rand_like(units) < self.swap) & columns, other, units)
        units = torch.where(self.rows.normal, units + self.noise * torch.randn_like(units), units)
        found = self.rows.inputs(units, inputs)
        for image in self.rows.images:
            moved = shifted(found[image.name], self.shift)
            found[image.name] = mirrored(moved) if self.mirror else moved
        return found

    def _block(self, block: Tensor) -> tuple[float, float, float, float]:
        """(rows, right ones, summed loss, summed loss of projections that are all alike)."""
        _, one, two = block.chunk(3, 1)
        right = normalize(one, dim=1) @ normalize(two, dim=1).T
        nearest = (right.argmax(1) == torch.arange(len(block))).double().mean()
        loss, rows = nt_xent(one, two, self.temperature).mean(), len(block)
        return rows, rows * float(nearest), rows * float(loss), rows * math.log(2 * rows - 1)


def nt_xent(one: Tensor, two: Tensor, temperature: float) -> Tensor:
    """[rows]: the mean of a row's two losses, of projections [rows, size] of its two views; all others are its negatives."""
    rows = len(one)
    both = normalize(torch.cat([one, two]), dim=1)
    alike = both @ both.T / temperature
    alike = alike.masked_fill(torch.eye(2 * rows, dtype=torch.bool, device=one.device), -torch.inf)
    other = torch.arange(2 * rows, device=one.device).roll(rows)
    return cross_entropy(alike, other, reduction="none").view(2, rows).mean(0)
