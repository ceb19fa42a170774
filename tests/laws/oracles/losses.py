"""Methods that look at losses alone, each by torch's own autograd and Adam."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from oracles.plain import Seen, Weights, oracle


@oracle("equal")
class Equal(Weights):
    def weigh(self, seen: Seen) -> Tensor:
        return torch.ones(len(seen.tasks), dtype=torch.float64)


class Learned(Weights):
    """One number a task, stepped by torch's Adam; made when the task is first seen, for an absent task has no gradient."""

    def __init__(self, lr: float, decay: float = 0.0) -> None:
        self.settings, self.value, self.adam = {"lr": lr, "weight_decay": decay}, {}, {}

    def numbers(self, seen_tasks: tuple[str, ...]) -> list[Tensor]:
        for task in seen_tasks:
            if task not in self.value:
                self.value[task] = torch.zeros((), dtype=torch.float64, requires_grad=True)
                self.adam[task] = torch.optim.Adam([self.value[task]], **self.settings)
        return [self.value[task] for task in seen_tasks]

    def step(self, tasks: tuple[str, ...]) -> None:
        for task in tasks:
            self.adam[task].step()
            self.adam[task].zero_grad()


@oracle("uncertainty")
class Uncertainty(Learned):
    """Differentiate sum_k exp(-s) L / 2 + s / 2 itself."""

    weighted = True

    def __init__(self) -> None:
        super().__init__(lr=0.01)

    def weigh(self, seen: Seen) -> Tensor:
        s = torch.stack(self.numbers(seen.tasks))
        (torch.exp(-s) * seen.losses / 2 + s / 2).sum().backward()
        self.step(seen.tasks)
        return torch.exp(-s.detach()) / 2


@oracle("famo")
class FAMO(Learned):
    """By autograd, as in the authors' code."""

    weighted = True

    def __init__(self) -> None:
        super().__init__(lr=0.025, decay=1e-3)

    def weigh(self, seen: Seen) -> Tensor:
        z = torch.stack(self.numbers(seen.tasks)).softmax(0).detach()
        self.before = dict(zip(seen.tasks, seen.losses, strict=True))
        return z / (seen.losses + 1e-8) / (z / (seen.losses + 1e-8)).sum()

    def observe(self, losses: Mapping[str, Tensor]) -> None:
        fell = torch.stack([(self.before[task] + 1e-8).log() - (loss + 1e-8).log() for task, loss in losses.items()])
        torch.stack(self.numbers(tuple(losses))).softmax(0).backward(fell)
        self.step(tuple(losses))
