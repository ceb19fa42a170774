"""Sum the shards' gradients over the tree and put them where the optimiser looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from polygraft.balancing.flat import Layout
from polygraft.balancing.graphs import NotFinite
from polygraft.balancing.modes.finite import all_finite, check_own, check_shared
from polygraft.balancing.modes.pull import Gradient, Heads
from polygraft.balancing.modes.setup import Setup, Totals

OwnGradients = Mapping[str, Sequence[Gradient]]


def deposit(
    setup: Setup,
    totals: Totals,
    shards: Iterable[tuple[Sequence[Gradient], OwnGradients]],
    scales: Sequence[float] | None,
    *,
    heads: Sequence[Heads] = (),
) -> None:
    """Fill `.grad` of all shared parameters and of the present tasks' own, from each shard's gradients.

    The shared parameters' gradients are final but for the sum over shards. The own ones are of the LOCAL SUM of losses,
    to be multiplied by `scales` [present tasks], or final too where it is None. All travel in one vector.
    A parameter that no loss reaches gets zeros; an absent task's own get None: nothing there moves, momentum included.
    heads: of this worker's shards, where there is a cut. Raises NotFinite before anything is changed.
    """
    own = _own(setup, totals)
    layout = setup.layout((*setup.shared.parameters, *own))
    each_shard = ([*shared, *(each for task in totals.names for each in mine[task])] for shared, mine in shards)
    summed = _sum(setup, layout, each_shard)
    shared_count = len(setup.shared.parameters)
    shared, mine = summed[:shared_count], summed[shared_count:]
    check_own(setup, totals, mine)
    check_shared(setup, totals, shared, heads)
    _put(setup.shared.parameters, shared)
    _put(own, _scaled(setup, totals, mine, scales))
    _absent(setup, totals)


def sum_own(setup: Setup, totals: Totals, own: Sequence[OwnGradients]) -> list[Tensor]:
    """The present tasks' own parameters' gradients, of the sum of losses. Raises NotFinite for a task's that is not."""
    each_shard = ([each for task in totals.names for each in mine[task]] for mine in own)
    summed = _sum(setup, setup.layout(_own(setup, totals)), each_shard)
    check_own(setup, totals, summed)
    return summed


def deposit_flat(setup: Setup, totals: Totals, shared: Tensor, own: list[Tensor], scales: Sequence[float]) -> None:
    """The same where the shared parameters' gradient is one summed vector already, and the own ones are summed."""
    if not all_finite([shared]):
        raise NotFinite(totals.step, totals.names, "combined gradient", ())
    _put(setup.shared.parameters, setup.shared.parts(shared))
    _put(_own(setup, totals), _scaled(setup, totals, own, scales))
    _absent(setup, totals)


def _own(setup: Setup, totals: Totals) -> list[Tensor]:
    return [parameter for task in totals.names for parameter in setup.own.get(task, ())]


def _sum(setup: Setup, layout: Layout, shards: Iterable[Sequence[Gradient]]) -> list[Tensor]:
    if setup.shards.world == 1:
        return setup.shards.sum_lists(layout.own(gradients) for gradients in shards)
    return layout.parts(setup.shards.sum(layout.flatten(gradients) for gradients in shards))


def _scaled(setup: Setup, totals: Totals, summed: list[Tensor], scales: Sequence[float] | None) -> list[Tensor]:
    if scales is None or not summed or all(scale == 1 for scale in scales):
        return summed
    counts = [len(setup.own.get(task, ())) for task in totals.names]
    each = [scale for scale, count in zip(scales, counts, strict=True) for _ in range(count)]
    torch._foreach_mul_(summed, each)  # nobody else has them
    return summed


def _put(parameters: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient


def _absent(setup: Setup, totals: Totals) -> None:
    for task in set(setup.tasks) - set(totals.names):
        for parameter in setup.own.get(task, ()):
            parameter.grad = None
