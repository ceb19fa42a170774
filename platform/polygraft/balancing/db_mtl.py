"""Dual-balancing multi-task learning, Lin et al. 2023 (https://arxiv.org/abs/2308.12029), algorithm 1."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import Blocks, Surgery, TaskGradients
from polygraft.core.catalogue import Range

SMALLEST = 1e-8  # what a loss is lifted by before its logarithm, as in the authors' code; losses are >= 0


class DBMTL(Surgery):
    """Differentiate log losses, follow their gradients' moving averages, all stretched to the longest one's length.

    The average of task k: a <- g - beta_t (g - a), beta_t = beta / t^power, with g the gradient of log L_k. The heads
    follow their own task's log loss. A task that is absent keeps its average and its count t.

    beta: how much of the old average stays. power: how fast that fades, beta_sigma in the authors' code.
    """

    modes = ("parameters",)
    heads = "weighted"
    tracked = ("average",)
    cost = "K backwards and K gradients of the shared parameters in memory, spread over the workers"

    steps: Tensor

    def __init__(
        self,
        tasks: int,
        /,
        beta: Annotated[float, Range(min=0, max=1)] = 0.9,
        power: Annotated[float, Range(min=0)] = 0.5,
    ) -> None:
        super().__init__()
        self.beta, self.power = beta, power
        self.register_buffer("steps", torch.zeros(tasks, dtype=torch.float64))

    def head_weights(self, tasks: TaskGradients) -> Tensor:
        """1 / L_k [K]: the heads follow log L_k."""
        return 1 / (tasks.losses.clamp(min=0) + SMALLEST)

    def combine(self, tasks: TaskGradients) -> Blocks:
        """[width] each."""
        self.steps[tasks.index] += 1
        stays = self.beta / self.steps[tasks.index] ** self.power  # [K]
        slope = self.head_weights(tasks)
        averages = []
        for average, rows in zip(self.blocks("average"), tasks.rows, strict=True):
            fresh = rows * _column(slope, rows)  # of log L_k
            mixed = fresh - _column(stays, rows) * (fresh - average[tasks.index])
            average[tasks.index] = mixed
            averages.append(mixed)
        norms = tasks.inner(tuple(averages)).diagonal().clamp(min=0).sqrt()
        stretch = torch.where(norms > 0, norms.max() / norms, torch.zeros_like(norms))
        return tuple((mixed * _column(stretch, mixed)).sum(0) for mixed in averages)


def _column(numbers: Tensor, like: Tensor) -> Tensor:
    """[K, 1], to multiply rows by."""
    return numbers.to(like)[:, None]
