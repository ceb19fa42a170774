"""The same step said plainly: one process, the full batch at once, plain autograd, float64, each method by its oracle."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor

from balancing_toy import TASKS, Network, Rows, independent, row_losses
from oracles.plain import ORACLES, Direction, Seen, Weights
from polygraft.balancing.collectives import ALIGN
from polygraft.balancing.modes.last_layer import sketch
from polygraft.core.catalogue import catalogue

for file in sorted((Path(__file__).parent / "oracles").glob("[!_]*.py")):
    import_module(f"oracles.{file.stem}")

EMPTY = torch.empty(0, dtype=torch.float64)


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


def mode_rows(
    network: Network, rows: Rows, mode: str, rank: int | None = None, tasks: tuple[str, ...] = TASKS
) -> Tensor:
    """[tasks, columns]: what the mode looks at."""
    losses, (a, z, features) = means(network, rows)
    losses = {task: loss for task, loss in losses.items() if task in tasks}
    if mode == "losses":
        return EMPTY.expand(len(losses), 0)
    if mode == "parameters":
        return flat(jacobian(losses, list(network.shared())))
    if mode == "features":
        return flat(jacobian(losses, [features]))
    if rank is None:
        return flat(jacobian(losses, list(network.last.parameters())))
    left = torch.cat([a @ sketch(7, a.shape[1], rank).to(a), torch.ones(len(a), 1, dtype=a.dtype)], 1)
    return torch.stack([(left.T @ dz).flatten().detach() for (dz,) in jacobian(losses, [z])])


class PlainStep:
    """One method in one mode; `gradients` gives every parameter's gradient by name, None for an absent task's."""

    def __init__(self, name: str, mode: str) -> None:
        self.oracle, self.mode = ORACLES[name](), mode
        facts = catalogue("balancing")[name].facts
        self.batches, self.follows = facts["batches"], facts["follows"]

    def gradients(self, network: Network, rows: Rows, step: int, rank: int | None) -> dict[str, Tensor | None]:
        batches = [rows, *independent(step, rows.inputs.dtype, self.batches)]
        tasks = tuple(task for task in TASKS if all(each.weights[task].sum() > 0 for each in batches))
        losses, (_, _, features) = means(network, rows)
        losses = {task: losses[task] for task in tasks}
        shared = list(network.shared())
        numbers = column_numbers(network) if self.mode == "parameters" else torch.arange(features.numel())
        values = torch.stack([loss.detach() for loss in losses.values()])
        looked = [mode_rows(network, each, self.mode, rank, tasks) for each in batches[-2:]]
        seen = Seen(tasks, values, looked[0], numbers, step, looked[0] @ looked[-1].T)
        ones = torch.ones_like(values)
        if isinstance(self.oracle, Weights):
            weights = self.oracle.weigh(seen)
            heads = weights if self.oracle.weighted else ones
            found = [self._along(network, each, tasks, weights, heads) for each in batches[: self.follows]]
            return {name: _mean([each[name] for each in found]) for name in found[0]}
        assert isinstance(self.oracle, Direction)
        direction, heads = self.oracle.combine(seen), self.oracle.heads(seen)
        if self.mode == "features":
            pulled = torch.autograd.grad(features, shared, direction.view(features.shape), allow_unused=True)
            zeros = zip(pulled, shared, strict=True)
            direction = flat([[torch.zeros_like(p) if g is None else g for g, p in zeros]])[0]
        own = {task: jacobian({task: loss}, list(network.own()[task]))[0] for task, loss in losses.items()}
        return self._by_name(
            network, direction, {task: [s * g for g in own[task]] for s, task in zip(heads, own, strict=True)}
        )

    def _along(
        self, network: Network, rows: Rows, tasks: tuple[str, ...], weights: Tensor, heads: Tensor
    ) -> dict[str, Tensor | None]:
        """The gradients of one batch along the weights."""
        losses = {task: loss for task, loss in means(network, rows)[0].items() if task in tasks}
        own = {task: jacobian({task: loss}, list(network.own()[task]))[0] for task, loss in losses.items()}
        direction = weights @ flat(jacobian(losses, list(network.shared())))
        return self._by_name(
            network, direction, {task: [s * g for g in own[task]] for s, task in zip(heads, own, strict=True)}
        )

    def observe(self, network: Network, rows: Rows) -> None:
        with torch.no_grad():
            after, _ = means(network, rows)
        self.oracle.observe(after)

    def _by_name(self, network: Network, direction: Tensor, own: dict[str, list[Tensor]]) -> dict[str, Tensor | None]:
        names = {id(parameter): name for name, parameter in network.named_parameters()}
        found: dict[str, Tensor | None] = dict.fromkeys(names.values())
        parts = direction.split([each.numel() for each in network.shared()])
        for parameter, part in zip(network.shared(), parts, strict=True):
            found[names[id(parameter)]] = part.view(parameter.shape)
        for task, gradients in own.items():
            for parameter, gradient in zip(network.own()[task], gradients, strict=True):
                found[names[id(parameter)]] = gradient
        return found


def _mean(gradients: list[Tensor | None]) -> Tensor | None:
    known = [each for each in gradients if each is not None]
    return torch.stack(known).mean(0) if known else None


def column_numbers(network: Network) -> Tensor:
    """The shared parameters' columns: each parameter begins at a multiple of ALIGN."""
    numbers, start = [], 0
    for parameter in network.shared():
        numbers.append(torch.arange(start, start + parameter.numel()))
        start += -(-parameter.numel() // ALIGN) * ALIGN
    return torch.cat(numbers)
