"""Robust multi-task learning with excess risks, He et al. 2024 (https://arxiv.org/abs/2402.02009), algorithm 1."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.core.catalogue import Range

SMALLEST = 1e-7  # what a sum of squares is lifted by before its root, as in the authors' code


class ExcessMTL(Weighting):
    """Lean on the tasks that are furthest from their own optimum, not on those whose loss is high because of noise.

    How far is estimated as g^T H^-1 g with H = diag(sqrt(sum over steps of g^2)) (equations 6 and 7), by the task's first
    such estimate (section 3.2). Weights are K softmax(step_size sum of these): the exponentiated gradient of equation 9,
    scaled to sum to K as in the authors' code, kept as logarithms so that it cannot overflow. As there, the first
    estimate moves no weight; here neither does one of 0, so that a task that begins with no gradient has a scale, too.

    step_size: of the exponentiated gradient, eta_alpha.
    """

    needs = "rows"
    modes = ("parameters",)
    heads = "weighted"
    tracked = ("squares",)
    cost = "K backwards and K gradients of the shared parameters in memory, spread over the workers"

    logits: Tensor
    first: Tensor

    def __init__(self, tasks: int, /, step_size: Annotated[float, Range(above=0)] = 0.01) -> None:
        super().__init__()
        self.step_size = step_size
        self.register_buffer("logits", torch.zeros(tasks, dtype=torch.float64))
        self.register_buffer("first", torch.zeros(tasks, dtype=torch.float64))

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """[K]; they sum to K."""
        index = tasks.index
        roots = []
        for squares, rows in zip(self.blocks("squares"), tasks.rows, strict=True):
            squares[index] += rows * rows
            roots.append(rows / (squares[index] + SMALLEST) ** 0.25)  # H^(-1/2) g
        excess = tasks.inner(tuple(roots)).diagonal()
        first = self.first[index]
        self.logits[index] += self.step_size * torch.where(first > 0, excess / first, torch.zeros_like(first))
        self.first[index] = torch.where(first > 0, first, excess)
        return len(index) * self.logits[index].softmax(0)
