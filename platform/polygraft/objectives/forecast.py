"""Direct multi-horizon forecasts, a number for each horizon: Ben Taieb et al. 2012 (https://doi.org/10.1016/j.eswa.2012.01.039), section 3.2; in quantiles: Wen et al. 2017 (https://arxiv.org/abs/1711.11053)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from polygraft.core.batch import Batch
from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.exhibits import Exhibit
from polygraft.models.network import View
from polygraft.objectives import pictures
from polygraft.objectives.base import Loss, Objective, exact, scored
from polygraft.objectives.metrics import forecasts, values

if TYPE_CHECKING:
    from polygraft.data.target import Target


class Forecast(Objective):
    """Several numbers, as those of several horizons of a series, each learned as (value - mean) / deviation of the training split.

    What is missing of a row is left out of its loss and its scores; the others count.
    loss: `mse`, `mae`, or `quantile`, the pinball loss of each of the quantiles.
    quantiles: ascending, .5 among them, which is then the forecast; the lowest and the highest are the interval.
    """

    target = "numbers"
    better = {  # noqa: RUF012 - a fact, read as a literal
        "mase": "min",
        "mae": "min",
        "rmse": "min",
        "smape": "min",
        "quantile_loss": "min",
        "improvement": "max",
    }

    means: Tensor
    stds: Tensor
    scales: Tensor
    shares: Tensor

    def __init__(
        self,
        task: str,
        target: Target,
        /,
        loss: Literal["mse", "mae", "quantile"] = "mse",
        quantiles: Annotated[Sequence[float], Range(above=0, below=1)] = (0.1, 0.5, 0.9),
    ) -> None:
        super().__init__()
        if loss == "quantile" and (0.5 not in quantiles or sorted(set(quantiles)) != list(quantiles)):
            raise fault(f"quantiles: ascending, and .5 among them, which is the forecast; not {list(quantiles)}.")
        self.task, self.loss, self.columns = task, loss, target.columns
        shares = tuple(quantiles) if loss == "quantile" else (0.5,)
        self.middle = shares.index(0.5)
        self.outputs = len(self.columns) * len(shares)
        for name, numbers in (("means", target.means), ("stds", target.stds), ("shares", shares)):
            self.register_buffer(name, torch.tensor(numbers, dtype=torch.float64))
        # Of a table without series nothing is known of the order of its rows: no scale.
        self.register_buffer("scales", torch.tensor(target.scales or [0.0] * len(self.columns), dtype=torch.float64))

    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """The loss of standardised values; of a row a share for each column that is known."""
        targets, weights = self.labels(view, batch)
        known = ~targets.isnan()
        outputs = exact(view.outputs[self.task]).unflatten(1, (-1, len(self.shares)))
        wanted = ((targets.nan_to_num() - self.means) / self.stds).to(outputs.dtype)
        cells = self._errors(outputs, wanted) * known
        share = weights / len(self.columns)
        return Loss((cells.sum(1) * share).sum(), (known.sum(1) * share).sum())

    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """`<column>`: the forecast in its unit, float64; of quantiles each beside it, `<column> q0.1`."""
        found = self._values(outputs).cpu().numpy()
        columns: dict[str, np.ndarray] = {}
        for place, name in enumerate(self.columns):
            columns[name] = found[:, place, self.middle]
            if len(self.shares) > 1:
                shares = self.shares.tolist()
                columns |= {f"{name} q{share:g}": found[:, place, i] for i, share in enumerate(shares)}
        return columns

    def scores(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> dict[str, float]:
        """Means over the known cells of all columns. MASE is absolute error in errors of who repeats the last season, on the training
        rows of all series together; there is none without series. `coverage` is the share of values inside of the interval; the quantile loss
        of a forecast alone is half of its MAE. `improvement` is of the loss, standardised, over the best constants of these rows.
        """
        outputs, targets, weights = scored(outputs, targets, present, weights)
        if not len(outputs):
            return {}
        predicted, targets = self._values(outputs), targets.double()
        middle = predicted[..., self.middle]
        apart = (middle - targets).abs()
        found = {
            "mae": forecasts.mean(apart, weights),
            "rmse": forecasts.mean(apart.square(), weights) ** 0.5,
            "smape": forecasts.mean(forecasts.smape(middle, targets), weights),
            "quantile_loss": forecasts.mean(forecasts.pinball(predicted, targets, self.shares).mean(2), weights),
        }
        if not bool((scaled := forecasts.scaled(middle, targets, self.scales)).isnan().all()):
            found["mase"] = forecasts.mean(scaled, weights)
        if len(self.shares) > 1:
            found["coverage"] = forecasts.mean(forecasts.inside(predicted, targets), weights)
        if _differ(targets):
            constants = self._constants(targets, weights).expand_as(predicted)
            mine, theirs = (self._loss(each, targets, weights) for each in (predicted, constants))
            found["improvement"] = 1 - mine / theirs
        return found

    def exhibits(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> list[Exhibit]:
        """Forecasts beside what came, of the first column and of the last one."""
        outputs, targets, _ = scored(outputs, targets, present, weights)
        middle, drawn = self._values(outputs)[..., self.middle], []
        for place in sorted({0, len(self.columns) - 1}):
            known = ~targets[:, place].isnan()
            if known.any():
                name = f"{self.task}, {self.columns[place]}"
                drawn.append(pictures.against(name, middle[known, place], targets[known, place]))
        return drawn

    def _values(self, outputs: Tensor) -> Tensor:
        """[rows, columns, quantiles] in their unit, quantiles in order (Chernozhukov et al. 2010: sorted, they are nowhere worse)."""
        found = outputs.double().unflatten(1, (-1, len(self.shares))).sort(2).values
        return found * self.stds[:, None] + self.means[:, None]

    def _errors(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """[rows, columns], of standardised outputs [rows, columns, quantiles]."""
        if self.loss == "quantile":
            return forecasts.pinball(outputs, wanted, self.shares.to(outputs.dtype)).mean(2)
        return (mse_loss if self.loss == "mse" else l1_loss)(outputs.squeeze(2), wanted, reduction="none")

    def _loss(self, predicted: Tensor, targets: Tensor, weights: Tensor) -> float:
        """The mean loss of values in their unit; a column's deviation is 1."""
        outputs = (predicted - self.means[:, None]) / self.stds[:, None]
        return forecasts.mean(self._errors(outputs, (targets - self.means) / self.stds), weights)

    def _constants(self, targets: Tensor, weights: Tensor) -> Tensor:
        """[columns, quantiles]: of each column its known values' weighted mean, median or quantiles; 0 without any."""
        found = []
        for column in targets.T:
            known = ~column.isnan()
            one, mine = column[known], weights[known]
            if not len(one):
                found.append(torch.zeros_like(self.shares))
            elif self.loss == "mse":
                found.append(values.mean(one, mine).reshape(1))
            else:
                found.append(torch.stack([values.quantile(one, mine, share) for share in self.shares.tolist()]))
        return torch.stack(found)


def _differ(targets: Tensor) -> bool:
    """Whether the known values of some column are not all the same."""
    most, least = targets.nan_to_num(nan=-torch.inf).amax(0), targets.nan_to_num(nan=torch.inf).amin(0)
    return bool((most > least).any())
