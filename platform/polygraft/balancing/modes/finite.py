"""What is not finite is found before anything changes, the same on every worker, and whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import torch
from torch import Tensor

from polygraft.balancing.graphs import NotFinite
from polygraft.balancing.modes.pull import Heads
from polygraft.balancing.modes.setup import Setup, Totals


def check_gramian(known: Totals, gramian: Tensor) -> None:
    """Raise NotFinite when a task's gradient is not, before the method sees it."""
    squares: list[float] = gramian.diagonal().tolist()
    if broken := tuple(name for name, square in zip(known.names, squares, strict=True) if not isfinite(square)):
        raise NotFinite(known.step, broken, "gradient", ())


def check_weights(known: Totals, weights: Sequence[float]) -> None:
    """Raise NotFinite for what a method made of losses and gradients that are finite."""
    if broken := tuple(name for name, weight in zip(known.names, weights, strict=True) if not isfinite(weight)):
        raise NotFinite(known.step, broken, "weight", ())


def check_own(setup: Setup, known: Totals, own: Sequence[Tensor]) -> None:
    """Raise NotFinite for tasks whose own parameters' global gradients are not. own: in the order of the present tasks."""
    if all_finite(own):
        return
    owners = [task for task in known.names for _ in setup.own.get(task, ())]
    broken = {task for task, each in zip(owners, own, strict=True) if not each.isfinite().all()}
    raise NotFinite(known.step, tuple(task for task in known.names if task in broken), "gradient", ())


def check_shared(setup: Setup, known: Totals, shared: Sequence[Tensor], heads: Sequence[Heads]) -> None:
    """Raise NotFinite when the gradient that the shared parameters would follow is not, the own ones being so.

    heads: of this worker's shards, where there is a cut: they say whose it is. Else, or where all are finite at the cut
    and it is the trunk that breaks, all present tasks are named.
    """
    if all_finite(shared):
        return
    broken = known.names
    if heads:
        found = setup.shards.sum(_broken(setup, known, head) for head in heads).tolist()
        broken = tuple(name for name, count in zip(known.names, found, strict=True) if count) or known.names
    raise NotFinite(known.step, broken, "gradient", ())


def _broken(setup: Setup, known: Totals, head: Heads) -> Tensor:
    """[K] of one shard: 1 for a task whose gradient at the cut is not finite."""
    flags = [any(not g.isfinite().all() for g in head.features[task] if g is not None) for task in known.names]
    return torch.tensor(flags, dtype=setup.dtype, device=setup.shared.device)


def all_finite(tensors: Sequence[Tensor]) -> bool:
    """Whether every number is. A sum tells in one pass; only where it overflowed is each number looked at."""
    sums = [each.sum() for each in tensors]
    if not sums or bool(torch.stack([each.to(sums[0]) for each in sums]).sum().isfinite()):
        return True
    return all(bool(each.isfinite().all()) for each in tensors)
