"""The same step said plainly: one process, the full batch at once, plain autograd, float64, each method by its own words."""

from __future__ import annotations

import numpy as np
import quadprog
import torch
from torch import Tensor

from balancing_toy import TASKS, Network, Rows, row_losses
from polygraft.balancing.chance_by_column import draw_key, uniform
from polygraft.balancing.collectives import ALIGN
from polygraft.balancing.modes.last_layer import sketch
from polygraft.core.seeding import torch_generator


def means(network: Network, rows: Rows) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """Global mean losses of the tasks that are present, and the last layer's input, output and the features."""
    layer = network.layer(rows.inputs)
    found = {}
    for task in TASKS:
        if (total := rows.weights[task].sum()) > 0:
            losses = row_losses(task, network.heads[task](layer[2]), rows.targets[task])
            found[task] = (losses * rows.weights[task]).sum() / total
    return found, layer


def jacobian(losses: dict[str, Tensor], inputs: list[Tensor]) -> list[list[Tensor]]:
    """[tasks][inputs], zeros where a loss does not lead."""
    rows = [torch.autograd.grad(loss, inputs, retain_graph=True, allow_unused=True) for loss in losses.values()]
    return [[torch.zeros_like(x) if g is None else g for g, x in zip(row, inputs, strict=True)] for row in rows]


def flat(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.cat([each.flatten() for each in row]) for row in rows])


def mode_rows(network: Network, rows: Rows, mode: str, rank: int | None = None) -> Tensor:
    """[tasks, columns]: what the mode looks at."""
    losses, (a, z, features) = means(network, rows)
    if mode == "parameters":
        return flat(jacobian(losses, list(network.shared())))
    if mode == "features":
        return flat(jacobian(losses, [features]))
    if rank is None:
        return flat(jacobian(losses, list(network.last.parameters())))
    left = torch.cat([a @ sketch(7, a.shape[1], rank).to(a), torch.ones(len(a), 1, dtype=a.dtype)], 1)
    return torch.stack([(left.T @ dz).flatten().detach() for (dz,) in jacobian(losses, [z])])


class Oracle:
    """One method with the state it keeps; `gradients` gives every parameter's gradient by name, None for an absent task's."""

    def __init__(self, name: str, mode: str) -> None:
        self.name, self.mode, self.steps = name, mode, 0
        start = {"uncertainty": 0.0, "famo": 0.0}.get(name, 0.0)
        self.learned = {task: torch.tensor(start, dtype=torch.float64, requires_grad=True) for task in TASKS}
        lr, decay = (0.01, 0.0) if name == "uncertainty" else (0.025, 1e-3)
        self.adam = torch.optim.Adam(self.learned.values(), lr=lr, weight_decay=decay)
        self.averages: dict[str, Tensor] = {}
        self.counts = dict.fromkeys(TASKS, 0)
        self.before: dict[str, Tensor] = {}

    def gradients(self, network: Network, rows: Rows, step: int, rank: int | None) -> dict[str, Tensor | None]:
        losses, (_, _, features) = means(network, rows)
        own = {task: jacobian({task: loss}, list(network.own()[task]))[0] for task, loss in losses.items()}
        shared = jacobian(losses, list(network.shared()))
        values = torch.stack([loss.detach() for loss in losses.values()])
        heads = torch.ones(len(losses), dtype=torch.float64)
        if self.name == "graddrop":
            direction = self.graddrop(network, rows, step, features)
        elif self.name == "db_mtl":
            direction, heads = self.db_mtl(list(losses), flat(shared), values), 1 / (values + 1e-8)
        else:
            looked_at = None if self.mode == "losses" else mode_rows(network, rows, self.mode, rank)
            weights = self.weights(list(losses), values, looked_at, step)
            direction = weights @ flat(shared)
            if self.mode == "losses":
                heads = weights
        names = {id(parameter): name for name, parameter in network.named_parameters()}
        found: dict[str, Tensor | None] = dict.fromkeys(names.values())
        parts = direction.split([each.numel() for each in network.shared()])
        for parameter, part in zip(network.shared(), parts, strict=True):
            found[names[id(parameter)]] = part.view(parameter.shape)
        for scale, task in zip(heads, losses, strict=True):
            for parameter, gradient in zip(network.own()[task], own[task], strict=True):
                found[names[id(parameter)]] = gradient * scale
        return found

    def weights(self, tasks: list[str], losses: Tensor, rows: Tensor | None, step: int) -> Tensor:
        if self.name == "equal":
            return torch.ones(len(tasks), dtype=torch.float64)
        if self.name == "uncertainty":
            return self.uncertainty(tasks, losses)
        if self.name == "famo":
            return self.famo(tasks, losses)
        assert rows is not None
        return min_norm(rows) if self.name == "mgda" else self.pcgrad(rows, step)

    def uncertainty(self, tasks: list[str], losses: Tensor) -> Tensor:
        """Differentiate sum_k exp(-s) L / 2 + s / 2 itself, and step s with torch's Adam."""
        self.adam.zero_grad()
        found = torch.stack([torch.exp(-self.learned[task]) / 2 for task in tasks]).detach()
        sum(
            torch.exp(-self.learned[task]) * loss / 2 + self.learned[task] / 2
            for task, loss in zip(tasks, losses, strict=True)
        ).backward()  # type: ignore[union-attr]
        self.adam.step()
        return found

    def famo(self, tasks: list[str], losses: Tensor) -> Tensor:
        z = torch.stack([self.learned[task] for task in tasks]).softmax(0).detach()
        self.before = dict(zip(tasks, losses, strict=True))
        return z / (losses + 1e-8) / (z / (losses + 1e-8)).sum()

    def observe(self, network: Network, rows: Rows) -> None:
        """FAMO after the update, by autograd as in the authors' code."""
        with torch.no_grad():
            after, _ = means(network, rows)
        fell = torch.stack([(self.before[task] + 1e-8).log() - (loss + 1e-8).log() for task, loss in after.items()])
        self.adam.zero_grad()
        torch.stack([self.learned[task] for task in after]).softmax(0).backward(fell)
        self.adam.step()

    def pcgrad(self, rows: Tensor, step: int) -> Tensor:
        """Project the vectors themselves; which combination they are is carried along."""
        chance = torch_generator(7, step, "balancer")
        total = torch.zeros(len(rows), dtype=torch.float64)
        for i in range(len(rows)):
            vector, mixture = rows[i].clone(), torch.eye(len(rows), dtype=torch.float64)[i]
            for j in torch.randperm(len(rows), generator=chance).tolist():
                if j != i and vector @ rows[j] < 0:
                    share = (vector @ rows[j]) / (rows[j] @ rows[j])
                    vector = vector - share * rows[j]
                    mixture[j] -= share
            total += mixture
        return total

    def graddrop(self, network: Network, rows: Rows, step: int, features: Tensor) -> Tensor:
        key = draw_key(torch_generator(7, step, "balancer"))
        gradients = mode_rows(network, rows, self.mode)
        numbers = torch.arange(features.numel()) if self.mode == "features" else columns(network)
        purity = 0.5 * (1 + gradients.sum(0) / gradients.abs().sum(0).clamp(min=1e-300))
        positive = purity > uniform(key, numbers)
        kept = torch.where(positive, gradients.clamp(min=0), gradients.clamp(max=0)).sum(0)
        if self.mode == "parameters":
            return kept
        found = torch.autograd.grad(features, list(network.shared()), kept.view(features.shape), allow_unused=True)
        return flat([[torch.zeros_like(p) if g is None else g for g, p in zip(found, network.shared(), strict=True)]])[
            0
        ]

    def db_mtl(self, tasks: list[str], rows: Tensor, losses: Tensor) -> Tensor:
        for task, row, loss in zip(tasks, rows, losses, strict=True):
            self.counts[task] += 1
            fresh = row / (loss + 1e-8)
            old = self.averages.get(task, torch.zeros_like(fresh))
            self.averages[task] = fresh + 0.9 / self.counts[task] ** 0.5 * (old - fresh)
        norms = torch.stack([self.averages[task].norm() for task in tasks])
        return sum(norms.max() / norm * self.averages[task] for norm, task in zip(norms, tasks, strict=True))  # type: ignore[return-value]


def columns(network: Network) -> Tensor:
    """The shared parameters' columns: each parameter begins at a multiple of ALIGN."""
    numbers, start = [], 0
    for parameter in network.shared():
        numbers.append(torch.arange(start, start + parameter.numel()))
        start += -(-parameter.numel() // ALIGN) * ALIGN
    return torch.cat(numbers)


def min_norm(rows: Tensor) -> Tensor:
    """A textbook quadratic programme."""
    gramian = (rows @ rows.T).numpy()
    scale = np.trace(gramian)
    k = len(gramian)
    constraints = np.concatenate([np.ones((k, 1)), np.eye(k)], 1)
    solved = quadprog.solve_qp(gramian / scale, np.zeros(k), constraints, np.r_[1.0, np.zeros(k)], meq=1)[0]
    return torch.from_numpy(solved)
