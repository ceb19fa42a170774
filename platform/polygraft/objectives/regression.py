"""Standard regression on squared, absolute or Huber's error, Huber 1964 (https://doi.org/10.1214/aoms/1177703732)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import huber_loss, l1_loss, mse_loss

from polygraft.core.batch import Batch
from polygraft.core.catalogue import Range
from polygraft.core.exhibits import Exhibit
from polygraft.models.network import View
from polygraft.objectives import pictures
from polygraft.objectives.base import Loss, Objective, differ, exact, scored
from polygraft.objectives.metrics import values

if TYPE_CHECKING:
    from polygraft.data.target import Target


class Regression(Objective):
    """A number, learned as (value - mean) / deviation of the training split, reported in its own unit.

    loss: `mse`, `mae`, or `huber`, which is squared up to `delta` and linear beyond.
    delta: of Huber's loss, in standard deviations.
    """

    target = "number"
    better = {"mae": "min", "rmse": "min", "r2": "max", "improvement": "max"}  # noqa: RUF012 - a fact, read as a literal

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        task: str,
        target: Target,
        /,
        loss: Literal["mse", "mae", "huber"] = "mse",
        delta: Annotated[float, Range(above=0)] = 1.0,
    ) -> None:
        super().__init__()
        self.task, self.loss, self.delta = task, loss, delta
        self.outputs = 1
        self.register_buffer("mean", torch.tensor(target.mean, dtype=torch.float64))
        self.register_buffer("std", torch.tensor(target.std or 1.0, dtype=torch.float64))

    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """The loss of standardised values."""
        targets, weights = self.labels(view, batch)
        outputs = exact(view.outputs[self.task]).squeeze(1)
        return Loss.over_rows(self._errors(outputs, ((targets - self.mean) / self.std).to(outputs.dtype)), weights)

    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """`<task>`: the value in its own unit, float64."""
        return {self.task: self._values(outputs).cpu().numpy()}

    def scores(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> dict[str, float]:
        """MAE and RMSE in the target's unit, R2; all weighted by row. `improvement` is of squared error over the mean of these
        rows for `mse`, where it is R2, and of absolute error over their median for the others.
        """
        outputs, targets, weights = scored(outputs, targets, present, weights)
        if not len(outputs):
            return {}
        predicted, targets = self._values(outputs), targets.double()
        mae, mse = values.mae(predicted, targets, weights), values.mse(predicted, targets, weights)
        found = {"mae": mae, "rmse": mse**0.5}
        if differ(targets):
            spread = values.mse(values.mean(targets, weights), targets, weights)
            scatter = values.mae(values.median(targets, weights), targets, weights)
            found["r2"] = 1 - mse / spread
            found["improvement"] = found["r2"] if self.loss == "mse" else 1 - mae / scatter
        return found

    def exhibits(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> list[Exhibit]:
        """Predicted values beside true ones."""
        outputs, targets, _ = scored(outputs, targets, present, weights)
        return [pictures.against(self.task, self._values(outputs), targets)] if len(outputs) else []

    def _values(self, outputs: Tensor) -> Tensor:
        return outputs.double().squeeze(1) * self.std + self.mean

    def _errors(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        if self.loss == "huber":
            return huber_loss(outputs, wanted, reduction="none", delta=self.delta)
        return (mse_loss if self.loss == "mse" else l1_loss)(outputs, wanted, reduction="none")
