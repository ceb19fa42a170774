"""How far predicted values are off, in their own unit; all are weighted by row."""

from __future__ import annotations

import torch
from torch import Tensor


def mae(predicted: Tensor, targets: Tensor, weights: Tensor) -> float:
    """Mean absolute error over [rows], float64."""
    return float(((predicted - targets).abs() * weights).sum() / weights.sum())


def mse(predicted: Tensor, targets: Tensor, weights: Tensor) -> float:
    """Mean squared error over [rows], float64."""
    return float(((predicted - targets).square() * weights).sum() / weights.sum())


def mean(targets: Tensor, weights: Tensor) -> Tensor:
    """The constant with the least squared error: a scalar."""
    return (targets * weights).sum() / weights.sum()


def median(targets: Tensor, weights: Tensor) -> Tensor:
    """A constant with the least absolute error, the lower weighted median: a scalar."""
    return quantile(targets, weights, 0.5)


def quantile(targets: Tensor, weights: Tensor, share: float) -> Tensor:
    """A constant with the least pinball loss, the lower weighted quantile: a scalar."""
    order = targets.argsort()
    cumulated = weights[order].cumsum(0)
    return targets[order][torch.searchsorted(cumulated, cumulated[-1] * share).clamp(max=len(targets) - 1)]
