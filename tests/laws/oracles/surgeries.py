"""Methods that combine the gradients element by element, or keep something of each column."""

from __future__ import annotations

from collections import Counter

import numpy as np
import quadprog
import torch
from torch import Tensor

from oracles.plain import SEED, Direction, Seen, Weights, oracle
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


@oracle("trimmed_mean")
class TrimmedMean(Direction):
    """By numpy's sort; of three numbers that is the median."""

    def combine(self, seen: Seen) -> Tensor:
        ranked = np.sort(seen.rows.numpy(), axis=0)
        return torch.from_numpy(ranked[1:-1].mean(0) if len(ranked) > 2 else ranked.mean(0))


@oracle("krum")
class Krum(Weights):
    """On the vectors themselves, one distance after the other."""

    def weigh(self, seen: Seen) -> Tensor:
        scores = []
        for i, mine in enumerate(seen.rows):
            apart = sorted(float(((mine - other) ** 2).sum()) for j, other in enumerate(seen.rows) if j != i)
            scores.append(sum(apart[: max(1, len(seen.rows) - 2)]))
        weights = torch.zeros(len(scores), dtype=torch.float64)
        weights[min(range(len(scores)), key=scores.__getitem__)] = 1
        return weights


@oracle("moco")
class MoCo(Direction):
    """The projection as a quadratic programme."""

    def __init__(self) -> None:
        self.averages: dict[str, Tensor] = {}
        self.counts: Counter[str] = Counter()
        self.weights: dict[str, float] = {}

    def combine(self, seen: Seen) -> Tensor:
        for task, row, loss in zip(seen.tasks, seen.rows, seen.losses, strict=True):
            self.counts[task] += 1
            fresh, old = row / row.norm() * loss, self.averages.get(task, torch.zeros_like(row))
            self.averages[task] = old + 0.5 / self.counts[task] ** 0.5 * (fresh - old)
        kept = torch.stack([self.averages[task] for task in seen.tasks])
        before = torch.tensor([self.weights.get(task, 1 / 3) for task in seen.tasks], dtype=torch.float64)
        share = float(before.sum())
        gamma = torch.tensor([0.1 / self.counts[task] ** 0.5 for task in seen.tasks], dtype=torch.float64)
        aim = (before / share - gamma * (kept @ (kept.T @ (before / share)))).numpy()
        constraints = np.concatenate([np.ones((len(aim), 1)), np.eye(len(aim))], 1)
        found = quadprog.solve_qp(np.eye(len(aim)), aim, constraints, np.r_[1.0, np.zeros(len(aim))], meq=1)[0]
        self.weights.update({task: share * weight for task, weight in zip(seen.tasks, found.tolist(), strict=True)})
        return torch.from_numpy(found) @ kept


@oracle("excess_mtl")
class ExcessMTL(Weights):
    """Weights are multiplied step by step and scaled to sum to K, as in the paper."""

    weighted = True

    def __init__(self) -> None:
        self.squares: dict[str, Tensor] = {}
        self.first: dict[str, float] = {}
        self.weights: dict[str, float] = {}

    def weigh(self, seen: Seen) -> Tensor:
        for task, row in zip(seen.tasks, seen.rows, strict=True):
            self.squares[task] = self.squares.get(task, torch.zeros_like(row)) + row**2
            excess = float(row @ torch.diag(1 / torch.sqrt(self.squares[task] + 1e-7)) @ row)
            moves = np.exp(0.01 * excess / self.first[task]) if task in self.first else 1.0
            self.first.setdefault(task, excess)
            self.weights[task] = self.weights.get(task, 1.0) * moves
        found = torch.tensor([self.weights[task] for task in seen.tasks], dtype=torch.float64)
        return found / found.sum() * len(found)
