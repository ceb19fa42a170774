"""Independent: several independent batches of one step; what they say together, and the mean of the gradients followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from polygraft.balancing.base import Blocks
from polygraft.balancing.collectives import Shards
from polygraft.balancing.graphs import NotFinite
from polygraft.balancing.modes.mode import Batches
from polygraft.balancing.modes.setup import Setup, Totals, totals

COMPARED = 2
"""Of a step's batches the last two are compared; of a single one the Gramian is made."""


def compared(batches: int) -> range:
    """The numbers of the batches whose rows are looked at."""
    return range(max(0, batches - COMPARED), batches)


def totals_of(setup: Setup, sums: Tensor, batches: Batches, step: int) -> list[Totals]:
    """What each batch's summed `local_sums` say, [batches * 2 tasks], of the tasks that have a label in ALL of them.

    Raises NotFinite, the same on every worker, with the number of the batch.
    """
    found = []
    for number, (part, tapes) in enumerate(zip(sums.chunk(len(batches)), batches, strict=True)):
        try:
            found.append(totals(setup, part, tapes, step))
        except NotFinite as error:
            error.batch = number
            raise
    common = set.intersection(*(set(each.index) for each in found))
    return [each if len(each.index) == len(common) else _only(each, common) for each in found]


def _only(known: Totals, index: set[int]) -> Totals:
    kept = [k for k, each in enumerate(known.index) if each in index]
    return replace(
        known,
        names=tuple(known.names[k] for k in kept),
        index=tuple(known.index[k] for k in kept),
        losses=tuple(known.losses[k] for k in kept),
        weights=tuple(known.weights[k] for k in kept),
    )


def cross_of_sums(square: Tensor, one: Totals, other: Totals) -> Tensor:
    """Float64 [K, K] on the CPU: of the present tasks' MEAN losses, from that of all tasks' summed ones, [tasks, tasks]."""
    present = square.double().cpu()[list(one.index)][:, list(other.index)]
    over = torch.tensor(one.weights, dtype=torch.float64)[:, None] * torch.tensor(other.weights, dtype=torch.float64)
    return present / over


def cross_of_rows(shards: Shards, one: Blocks, other: Blocks) -> Tensor:
    """Float64 [K, K] on the CPU: inner products of two batches' rows over all columns of all workers, block by block."""
    blocks = zip(one, other, strict=True)
    return shards.sum((a.contiguous() @ b.contiguous().T).to(torch.float64) for a, b in blocks).cpu()


def leave_mean(setup: Setup, backwards: Sequence[Callable[[], None]]) -> None:
    """Leave in `.grad` the mean of what each of the `backwards` leaves there; what was there, when one raises NotFinite."""
    if len(backwards) == 1:
        backwards[0]()
        return
    parameters = [*setup.shared.parameters, *(each for mine in setup.own.values() for each in mine)]
    first = [each.grad for each in parameters]
    try:
        backwards[0]()
        for backward in backwards[1:]:
            before = [each.grad for each in parameters]
            backward()
            pairs = [(each.grad, old) for each, old in zip(parameters, before, strict=True)]
            both = [(new, old) for new, old in pairs if new is not None and old is not None]
            torch._foreach_add_([new for new, _ in both], [old for _, old in both])
    except NotFinite:
        for each, old in zip(parameters, first, strict=True):
            each.grad = old
        raise
    torch._foreach_div_([each.grad for each in parameters if each.grad is not None], float(len(backwards)))
