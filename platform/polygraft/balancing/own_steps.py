"""Adam for the few numbers a method learns by itself (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980, algorithm 1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Learned(nn.Module):
    """One number for each task, stepped by Adam from GLOBAL figures, in float64, so that all workers agree.

    A task that is absent from a step keeps its number, its moments and its count of steps.
    """

    value: Tensor
    mean: Tensor
    square: Tensor
    steps: Tensor

    def __init__(self, start: Tensor, *, lr: float, decay: float = 0.0) -> None:
        super().__init__()
        self.lr, self.decay = lr, decay
        self.register_buffer("value", start.to(torch.float64).clone())
        self.register_buffer("mean", torch.zeros_like(self.value))
        self.register_buffer("square", torch.zeros_like(self.value))
        self.register_buffer("steps", torch.zeros_like(self.value))

    def step(self, gradient: Tensor, index: Tensor) -> None:
        """Against `gradient` [K] of the numbers `index` [K]; decay is added to it (L2, as torch.optim.Adam)."""
        gradient = gradient.to(torch.float64) + self.decay * self.value[index]
        steps = self.steps[index] + 1
        mean = 0.9 * self.mean[index] + 0.1 * gradient
        square = 0.999 * self.square[index] + 0.001 * gradient * gradient
        towards = mean / (1 - 0.9**steps) / ((square / (1 - 0.999**steps)).sqrt() + 1e-8)
        self.value[index] -= self.lr * towards
        self.mean[index], self.square[index], self.steps[index] = mean, square, steps
