"""Gradients of one shard's graph: at the cut, of the heads, of the shared parameters. All of autograd is called here.

`torch.autograd.grad` is used throughout, not `backward`: a gradient is wanted task by task, and DDP, which waits for
hooks on the parameters, sees nothing of it (pytorch#47562). So the sums over workers are made by us.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import torch
from torch import Tensor
from torch.autograd.graph import Node

from polygraft.balancing.graphs import Tape
from polygraft.balancing.modes.setup import Setup
from polygraft.core.features import Cut

ACTIVATIONS = {
    f"{name}Backward0" for name in ("Relu", "LeakyRelu", "Gelu", "Silu", "Mish", "Elu", "Softplus", "Tanh", "Sigmoid")
}
"""Autograd's names of functions of one tensor, element by element."""

Gradient = Tensor | None
"""None where the graph does not lead there: zeros."""


@dataclass(frozen=True)
class Heads:
    """What a backward through one shard's heads gave, by task: gradients of its LOCAL SUM of losses, times the scale.

    features: at the cut, parallel to `cut.features`. own: of the task's own parameters.
    """

    features: dict[str, tuple[Gradient, ...]]
    own: dict[str, tuple[Gradient, ...]]


def differentiable(setup: Setup, tape: Tape) -> list[str]:
    """The tasks whose loss has a graph on this shard."""
    return [task for task in setup.tasks if task in tape.losses and tape.losses[task].requires_grad]


def heads(setup: Setup, tape: Tape) -> Heads:
    """Backward through all heads down to the cut; in ONE pass where the tasks have aliases, which keep them apart."""
    cut = tape.cut
    assert cut is not None
    tasks = differentiable(setup, tape)
    features: dict[str, tuple[Gradient, ...]] = {task: (None,) * len(cut.features) for task in setup.tasks}
    own: dict[str, tuple[Gradient, ...]] = {task: (None,) * len(setup.own.get(task, ())) for task in setup.tasks}
    ends = {task: cut.aliases[task] if cut.aliases else cut.features for task in tasks}
    if cut.aliases:
        inputs = [each for task in tasks for each in (*ends[task], *setup.own.get(task, ()))]
        found: Iterator[Gradient] = iter(_grad(*_seeded(tape, tasks, inputs)))
    else:
        apart = [_grad(*_seeded(tape, [task], [*ends[task], *setup.own.get(task, ())]), keep=True) for task in tasks]
        found = chain.from_iterable(apart)
    for task in tasks:
        features[task] = tuple(islice(found, len(ends[task])))
        own[task] = tuple(islice(found, len(own[task])))
    return Heads(features, own)


def to_layer(cut: Cut) -> Callable[[tuple[Gradient, ...]], Gradient]:
    """What turns a task's gradient at the features into its gradient at the last shared layer's output.

    Nothing where the features are that output; a product with the activation's slope, worked out once for all tasks,
    where only activations lie between (K vector-Jacobian products cost three times that); else those products.
    None where the layer is frozen, or no loss reaches it. The result may be overwritten by the next call.
    """
    z = cut.layer_output
    assert z is not None
    if not z.requires_grad:
        return lambda _: None
    if len(cut.features) == 1 and cut.features[0] is z:
        return lambda features: features[0]
    if len(cut.features) == 1 and _elementwise(cut.features[0].grad_fn, z.grad_fn):
        slope = _grad(cut.features, [z], [torch.ones_like(cut.features[0])], keep=True)[0]
        assert slope is not None
        product = torch.empty_like(slope)
        return lambda features: None if features[0] is None else torch.mul(features[0], slope, out=product)

    def by_autograd(features: tuple[Gradient, ...]) -> Gradient:
        pairs = [(f, g) for f, g in zip(cut.features, features, strict=True) if g is not None and f.requires_grad]
        return _grad([f for f, _ in pairs], [z], [g for _, g in pairs], keep=True)[0] if pairs else None

    return by_autograd


def _elementwise(node: Node | None, end: Node | None) -> bool:
    """Whether nothing but known activations lies between two nodes of a graph."""
    while node is not None and node is not end:
        if node.name() not in ACTIVATIONS:
            return False
        node = node.next_functions[0][0]
    return node is not None


def trunk(setup: Setup, cut: Cut, features: Sequence[Gradient], *, keep: bool = False) -> tuple[Gradient, ...]:
    """Gradients of the shared parameters, from a gradient at the features."""
    pairs = [(f, g) for f, g in zip(cut.features, features, strict=True) if g is not None and f.requires_grad]
    if not pairs:
        return (None,) * len(setup.shared.parameters)
    return _grad([f for f, _ in pairs], setup.shared.parameters, [g for _, g in pairs], keep=keep)


def row(
    setup: Setup, tape: Tape, task: str, known: Heads | None, *, keep: bool
) -> tuple[tuple[Gradient, ...], tuple[Gradient, ...]]:
    """One task's gradients of the shared parameters and of its own.

    known: what a backward through the heads gave, where there is a cut. keep: the graph is needed again.
    """
    if known is not None:
        assert tape.cut is not None
        return trunk(setup, tape.cut, known.features[task], keep=keep), known.own[task]
    shared, own = setup.shared.parameters, tuple(setup.own.get(task, ()))
    if task not in tape.losses or not tape.losses[task].requires_grad:
        return (None,) * len(shared), (None,) * len(own)
    found = _grad(*_seeded(tape, [task], [*shared, *own]), keep=keep)
    return found[: len(shared)], found[len(shared) :]


def weighted(
    setup: Setup, tape: Tape, scales: Mapping[str, float], *, own: bool = True
) -> tuple[tuple[Gradient, ...], dict[str, tuple[Gradient, ...]]]:
    """One ordinary backward of sum_k scale_k loss_k through a graph without a cut: shared, and own by task (scaled)."""
    tasks = [task for task in differentiable(setup, tape) if task in scales]
    mine = {task: tuple(setup.own.get(task, ())) if own else () for task in scales}
    heads: dict[str, tuple[Gradient, ...]] = {task: (None,) * len(mine[task]) for task in scales}
    if not tasks:
        return (None,) * len(setup.shared.parameters), heads
    losses = [tape.losses[task] for task in tasks]
    seeds = [torch.full_like(loss, scales[task] * tape.scale) for task, loss in zip(tasks, losses, strict=True)]
    inputs = [*setup.shared.parameters, *(each for task in tasks for each in mine[task])]
    found = iter(_grad(losses, inputs, seeds))
    shared = tuple(islice(found, len(setup.shared.parameters)))
    return shared, heads | {task: tuple(islice(found, len(mine[task]))) for task in tasks}


def plain_heads(setup: Setup, tape: Tape, names: Sequence[str]) -> dict[str, tuple[Gradient, ...]]:
    """The tasks' own parameters' gradients, of a graph without a cut, which stays."""
    own: dict[str, tuple[Gradient, ...]] = {task: (None,) * len(setup.own.get(task, ())) for task in names}
    tasks = [task for task in differentiable(setup, tape) if task in own]
    inputs = [each for task in tasks for each in setup.own.get(task, ())]
    found = iter(_grad(*_seeded(tape, tasks, inputs), keep=True))
    return own | {task: tuple(islice(found, len(own[task]))) for task in tasks}


def combined(gradients: Sequence[tuple[float, tuple[Gradient, ...]]]) -> list[Gradient]:
    """sum_k scale_k gradient_k at each feature: one new tensor, then added in place; nothing is stacked."""
    total: list[Gradient] = [None] * (len(gradients[0][1]) if gradients else 0)
    for scale, features in gradients:
        for i, gradient in enumerate(features):
            if gradient is None:
                continue
            mine = total[i]
            total[i] = gradient * scale if mine is None else mine.add_(gradient, alpha=scale)
    return total


def _seeded(
    tape: Tape, tasks: Sequence[str], inputs: Sequence[Tensor]
) -> tuple[list[Tensor], Sequence[Tensor], list[Tensor]]:
    """The tasks' losses, and what the backward from each starts from."""
    losses = [tape.losses[task] for task in tasks]
    return losses, inputs, [torch.full_like(loss, tape.scale) for loss in losses]


def _grad(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], seeds: Sequence[Tensor] | None = None, *, keep: bool = False
) -> tuple[Gradient, ...]:
    if not inputs:
        return ()
    return torch.autograd.grad(outputs, inputs, seeds, retain_graph=keep, allow_unused=True)
