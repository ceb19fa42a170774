"""Sum the shards' gradients over the tree and put them where the optimiser looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from polygraft.balancing.flat import Layout
from polygraft.balancing.modes.pull import Gradient
from polygraft.balancing.modes.setup import Setup, Totals

OwnGradients = Mapping[str, Sequence[Gradient]]


def deposit(
    setup: Setup,
    totals: Totals,
    shards: Iterable[tuple[Sequence[Gradient], OwnGradients]],
    scales: Sequence[float] | None,
) -> None:
    """Fill `.grad` of all shared parameters and of the present tasks' own, from each shard's gradients.

    The shared parameters' gradients are final but for the sum over shards. The own ones are of the LOCAL SUM of losses,
    to be multiplied by `scales` [present tasks], or final too where it is None. All travel in one vector.
    A parameter that no loss reaches gets zeros; an absent task's own get None: nothing there moves, momentum included.
    """
    own = [parameter for task in totals.names for parameter in setup.own.get(task, ())]
    layout = Layout((*setup.shared.parameters, *own))
    each_shard = ([*shared, *(each for task in totals.names for each in mine[task])] for shared, mine in shards)
    summed = _sum(setup, layout, each_shard)
    shared_count = len(setup.shared.parameters)
    _put(setup.shared.parameters, summed[:shared_count])
    _put(own, _scaled(setup, totals, summed[shared_count:], scales))
    _absent(setup, totals)


def deposit_flat(
    setup: Setup, totals: Totals, shared: Tensor, own: Sequence[OwnGradients], scales: Sequence[float]
) -> None:
    """The same where the shared parameters' gradient is one summed vector already."""
    _put(setup.shared.parameters, setup.shared.parts(shared))
    parameters = [parameter for task in totals.names for parameter in setup.own.get(task, ())]
    each_shard = ([each for task in totals.names for each in mine[task]] for mine in own)
    _put(parameters, _scaled(setup, totals, _sum(setup, Layout(parameters), each_shard), scales))
    _absent(setup, totals)


def _sum(setup: Setup, layout: Layout, shards: Iterable[Sequence[Gradient]]) -> list[Tensor]:
    if setup.shards.world == 1:
        return setup.shards.sum_lists(layout.own(gradients) for gradients in shards)
    return layout.parts(setup.shards.sum(layout.flatten(gradients) for gradients in shards))


def _scaled(setup: Setup, totals: Totals, summed: list[Tensor], scales: Sequence[float] | None) -> list[Tensor]:
    if scales is None or not summed:
        return summed
    counts = [len(setup.own.get(task, ())) for task in totals.names]
    each = [scale for scale, count in zip(scales, counts, strict=True) for _ in range(count)]
    return list(torch._foreach_mul(summed, each))


def _put(parameters: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient


def _absent(setup: Setup, totals: Totals) -> None:
    for task in set(setup.tasks) - set(totals.names):
        for parameter in setup.own.get(task, ()):
            parameter.grad = None
