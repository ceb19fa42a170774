"""Follow: one backward along given weights, however the tasks' gradients were looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from polygraft.balancing.graphs import Tape
from polygraft.balancing.modes import pull
from polygraft.balancing.modes.deposit import OwnGradients, deposit
from polygraft.balancing.modes.mode import head_scales
from polygraft.balancing.modes.setup import Setup, Totals

Pulled = Iterator[tuple[Sequence[pull.Gradient], OwnGradients]]


def follow(setup: Setup, known: Totals, tapes: Sequence[Tape], weights: Sequence[float]) -> None:
    """An ordinary step's backward of sum_k weight_k loss_k; through the cut where there is one."""
    if tapes[0].cut is not None:
        follow_features(setup, known, tapes, [pull.heads(setup, tape) for tape in tapes], weights)
    elif setup.balancer.heads == "weighted" or all(weight == 1 for weight in weights):
        deposit(setup, known, _one_backward(setup, known, tapes, weights), None)
    else:
        deposit(setup, known, _heads_apart(setup, known, tapes, weights), head_scales(setup, known, weights))


def follow_features(
    setup: Setup, known: Totals, tapes: Sequence[Tape], heads: Sequence[pull.Heads], weights: Sequence[float]
) -> None:
    """One trunk backward from sum_k weight_k df_k / W_k; the heads' gradients are there already."""
    scales = [weight / count for weight, count in zip(weights, known.weights, strict=True)]

    def shards() -> Pulled:
        for tape, head in zip(tapes, heads, strict=True):
            assert tape.cut is not None
            both = zip(scales, known.names, strict=True)
            direction = pull.combined([(scale, head.features[task]) for scale, task in both])
            yield pull.trunk(setup, tape.cut, direction), head.own

    deposit(setup, known, shards(), head_scales(setup, known, weights), heads=heads)


def _one_backward(setup: Setup, known: Totals, tapes: Sequence[Tape], weights: Sequence[float]) -> Pulled:
    scales = {task: w / n for task, w, n in zip(known.names, weights, known.weights, strict=True)}
    for tape in tapes:
        yield pull.weighted(setup, tape, scales)


def _heads_apart(setup: Setup, known: Totals, tapes: Sequence[Tape], weights: Sequence[float]) -> Pulled:
    """Plain heads without a cut: they are differentiated once more, which does not go down into the trunk."""
    scales = {task: w / n for task, w, n in zip(known.names, weights, known.weights, strict=True)}
    for tape in tapes:
        own = pull.plain_heads(setup, tape, known.names)
        yield pull.weighted(setup, tape, scales, own=False)[0], own
