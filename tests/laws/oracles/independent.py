"""Methods that compare independent batches, each by a projection of its own: bisection of what is taken off."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor

from oracles.plain import Seen, Weights, oracle


def nearest(point: Tensor) -> Tensor:
    """The projection on the simplex: bisect the number that, taken off, leaves a sum of 1."""
    low, high = point.min() - 1, point.max()
    for _ in range(200):
        middle = (low + high) / 2
        if (point - middle).clamp(min=0).sum() > 1:
            low = middle
        else:
            high = middle
    return (point - high).clamp(min=0)


class Walk(Weights):
    """Weights by task that sum to 1; the present ones share what the absent ones leave."""

    def __init__(self) -> None:
        self.held: dict[str, float] = defaultdict(lambda: 1 / 3)

    def weigh(self, seen: Seen) -> Tensor:
        total = sum(self.held[task] for task in seen.tasks)
        held = [self.held[task] / total if total > 0 else 1 / len(seen.tasks) for task in seen.tasks]
        moved, followed = self.walk(torch.tensor(held, dtype=torch.float64), seen.cross)
        self.held.update({task: total * each for task, each in zip(seen.tasks, moved.tolist(), strict=True)})
        return followed

    def walk(self, held: Tensor, cross: Tensor) -> tuple[Tensor, Tensor]:
        """What is held, and what is followed."""
        raise NotImplementedError


@oracle("modo")
class MoDo(Walk):
    def walk(self, held: Tensor, cross: Tensor) -> tuple[Tensor, Tensor]:
        moved = nearest(held - 0.1 * (cross @ held + 0.1 * held))
        return moved, moved


@oracle("sdmgrad")
class SDMGrad(Walk):
    """torch's own SGD takes the steps."""

    def walk(self, held: Tensor, cross: Tensor) -> tuple[Tensor, Tensor]:
        even, w = torch.full_like(held, 1 / len(held)), held.clone().requires_grad_()
        scale = cross.diagonal().clamp(min=0).sqrt().mean()
        optimizer = torch.optim.SGD([w], lr=10.0, momentum=0.5)
        for _ in range(20):
            w.grad = cross / scale**2 @ (w.detach() + 0.3 * even)
            optimizer.step()
            with torch.no_grad():
                w.copy_(nearest(w))
        return w.detach(), (w.detach() + 0.3 * even) / 1.3
