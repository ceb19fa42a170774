"""Smooth Tchebycheff scalarization, Lin et al. 2024 (https://arxiv.org/abs/2402.19078), the multi-task form."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.core.catalogue import Range

SMALLEST = 1e-8  # a loss below counts as this; the authors lift by 1e-20, with which a weight may leave float32


class STCH(Weighting):
    """A smooth maximum of how far each task is: K mu log sum_k exp(log(L_k / nadir_k) / mu) is minimised.

    As in the authors' multi-task code: log losses by the nadir with equal preferences, and a warm-up on sum_k log L_k,
    after which a task's nadir is its average loss. They count epochs; a batch here may hold rows of several tables, so
    steps are counted, those with a label of the task. A task that is not yet through weighs 1 / L_k, and the maximum is
    over those that are. For losses > 0.

    mu: smoothness; towards 0 the worst task alone is followed. warmup: steps before the nadir is measured; the authors
    take four epochs. window: steps over which the nadir is averaged; the authors take one epoch.
    """

    needs = "losses"
    heads = "weighted"

    seen: Tensor
    nadir: Tensor

    def __init__(
        self,
        tasks: int,
        /,
        mu: Annotated[float, Range(above=0)] = 1.0,
        warmup: Annotated[int, Range(min=0)] = 400,
        window: Annotated[int, Range(min=1)] = 100,
    ) -> None:
        super().__init__()
        self.mu, self.warmup, self.window = mu, warmup, window
        self.register_buffer("seen", torch.zeros(tasks, dtype=torch.int64))  # steps with a label
        self.register_buffer("nadir", torch.zeros(tasks, dtype=torch.float64))  # final once seen > warmup + window

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """[K]."""
        losses, index = tasks.losses.clamp(min=SMALLEST), tasks.index
        self.seen[index] += 1
        measured = self.seen[index] - self.warmup
        measures = (measured > 0) & (measured <= self.window)
        self.nadir[index[measures]] += losses[measures] / self.window
        through = measured > self.window
        far = (losses / self.nadir[index])[through].log()
        shares = torch.ones_like(losses)
        shares[through] = len(far) * (far / self.mu).softmax(0)
        return shares / losses
