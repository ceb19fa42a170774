"""How far forecasts of several numbers are off; every known cell counts with its row's weight, the unknown ones not at all.

Hyndman and Koehler 2006 (https://doi.org/10.1016/j.ijforecast.2006.03.001): MASE; Makridakis et al. 2020
(https://doi.org/10.1016/j.ijforecast.2019.04.014): sMAPE; Koenker and Bassett 1978 (https://doi.org/10.2307/1913643): the pinball loss.
"""

from __future__ import annotations

import torch
from torch import Tensor


def mean(cells: Tensor, weights: Tensor) -> float:
    """Of the cells [rows, columns] that are no NaN. weights: [rows]."""
    known = ~cells.isnan()
    cells_weights = weights[:, None] * known
    return float((cells.nan_to_num() * cells_weights).sum() / cells_weights.sum())


def smape(predicted: Tensor, targets: Tensor) -> Tensor:
    """2 |y - f| / (|y| + |f|), from 0 to 2, [rows, columns]; 0 where both are 0."""
    apart, size = (predicted - targets).abs(), predicted.abs() + targets.abs()
    return torch.where(size == 0, 0.0, 2 * apart / size)


def scaled(predicted: Tensor, targets: Tensor, scales: Tensor) -> Tensor:
    """|y - f| in seasonal naive errors of the training rows, [rows, columns]; NaN where the scale [columns] is 0."""
    return torch.where(scales > 0, (predicted - targets).abs() / scales, torch.nan)


def pinball(predicted: Tensor, targets: Tensor, shares: Tensor) -> Tensor:
    """The loss whose least expectation the quantile has, [rows, columns, quantiles]; shares: [quantiles]."""
    short = targets[..., None] - predicted
    return torch.maximum(shares * short, (shares - 1) * short)


def inside(predicted: Tensor, targets: Tensor) -> Tensor:
    """1 where the value lies between the lowest and the highest quantile, [rows, columns]; NaN where it is unknown."""
    within = (targets >= predicted[..., 0]) & (targets <= predicted[..., -1])
    return torch.where(targets.isnan(), torch.nan, within.to(predicted.dtype))
