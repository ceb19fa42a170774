"""Methods that combine the gradients element by element, or keep something of each column."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from oracles.plain import SEED, Direction, Seen, oracle
from polygraft.balancing.chance_by_column import draw_key, uniform
from polygraft.core.seeding import torch_generator


@oracle("graddrop")
class GradDrop(Direction):
    def combine(self, seen: Seen) -> Tensor:
        key = draw_key(torch_generator(SEED, seen.step, "balancer"))
        purity = 0.5 * (1 + seen.rows.sum(0) / seen.rows.abs().sum(0).clamp(min=1e-300))
        positive = purity > uniform(key, seen.columns)
        return torch.where(positive, seen.rows.clamp(min=0), seen.rows.clamp(max=0)).sum(0)


@oracle("db_mtl")
class DBMTL(Direction):
    def __init__(self) -> None:
        self.averages: dict[str, Tensor] = {}
        self.counts: Counter[str] = Counter()

    def combine(self, seen: Seen) -> Tensor:
        for task, row, loss in zip(seen.tasks, seen.rows, seen.losses, strict=True):
            self.counts[task] += 1
            fresh = row / (loss + 1e-8)
            old = self.averages.get(task, torch.zeros_like(fresh))
            self.averages[task] = fresh + 0.9 / self.counts[task] ** 0.5 * (old - fresh)
        kept = torch.stack([self.averages[task] for task in seen.tasks])
        norms = kept.norm(dim=1)
        return (norms.max() / norms) @ kept

    def heads(self, seen: Seen) -> Tensor:
        return 1 / (seen.losses + 1e-8)
