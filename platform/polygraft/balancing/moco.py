"""Multi-objective gradient correction, Fernando et al. 2023 (https://arxiv.org/abs/2210.12624), algorithm 1."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import Blocks, Surgery, TaskGradients
from polygraft.balancing.simplex import onto_simplex, shares
from polygraft.core.catalogue import Range


class MoCo(Surgery):
    """Follow the shortest combination of the gradients' moving averages, whose noise fades, approached step by step.

    y <- y - beta_t (y - g), then weights <- projection on the simplex of weights - gamma_t (Y Y^T + rho) weights, then
    the step is Y^T weights; beta_t = beta / t^beta_fades, gamma_t alike, t a task's own count of steps. With `stretch` the
    g that is averaged has its loss for length, as in the authors' code, which makes gamma mean the same whatever the
    gradients' scale. They take a softmax for the projection, under which weights stay near 1 / K; here it is the paper's.
    An absent task keeps its average, its weight and its count; the others share what is left of 1.

    beta, beta_fades: step on the averages. gamma, gamma_fades: step on the weights. rho: pull of the weights to equal ones.
    stretch: whether a gradient is first given its loss for length; without it the paper's algorithm word by word.
    """

    modes = ("parameters",)
    tracked = ("average",)
    cost = "K backwards and K gradients of the shared parameters in memory, spread over the workers"

    steps: Tensor
    weights: Tensor

    def __init__(
        self,
        tasks: int,
        /,
        beta: Annotated[float, Range(above=0, max=1)] = 0.5,
        beta_fades: Annotated[float, Range(min=0)] = 0.5,
        gamma: Annotated[float, Range(min=0)] = 0.1,
        gamma_fades: Annotated[float, Range(min=0)] = 0.5,
        rho: Annotated[float, Range(min=0)] = 0.0,
        stretch: bool = True,
    ) -> None:
        super().__init__()
        self.beta, self.beta_fades = beta, beta_fades
        self.gamma, self.gamma_fades = gamma, gamma_fades
        self.rho, self.stretch = rho, stretch
        self.register_buffer("steps", torch.zeros(tasks, dtype=torch.float64))
        self.register_buffer("weights", torch.full((tasks,), 1 / tasks, dtype=torch.float64))

    def combine(self, tasks: TaskGradients) -> Blocks:
        """[width] each."""
        index = tasks.index
        self.steps[index] += 1
        averages = self._averages(tasks)
        weights = self._weigh(tasks.inner(averages), index)
        return tuple(weights.to(each) @ each for each in averages)

    def _averages(self, tasks: TaskGradients) -> Blocks:
        """[K, width] each, moved towards this step's gradients."""
        index = tasks.index
        scale = torch.ones_like(tasks.losses)
        if self.stretch:
            lengths = tasks.gramian.diagonal().clamp(min=0).sqrt()
            scale = torch.where(lengths > 0, tasks.losses / lengths, torch.zeros_like(lengths))
        enters = self.beta / self.steps[index] ** self.beta_fades
        moved = []
        for average, rows in zip(self.blocks("average"), tasks.rows, strict=True):
            old = average[index]
            average[index] = old - enters.to(rows)[:, None] * (old - rows * scale.to(rows)[:, None])
            moved.append(average[index])
        return tuple(moved)

    def _weigh(self, gramian: Tensor, index: Tensor) -> Tensor:
        """[K] on the simplex."""
        before, share = shares(self.weights, index)
        gamma = self.gamma / self.steps[index] ** self.gamma_fades
        aim = before - gamma * (gramian @ before + self.rho * before)
        weights = onto_simplex(aim)
        self.weights[index] = share * weights
        return weights
