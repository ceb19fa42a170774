"""Losses: methods that look at losses alone; a step is one ordinary backward of the weighted sum of global mean losses.

The weights must be known first, and they come from GLOBAL losses: one small collective before the backward.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from polygraft.balancing.graphs import Tape
from polygraft.balancing.modes import pull
from polygraft.balancing.modes.deposit import OwnGradients, deposit
from polygraft.balancing.modes.measured import Measured
from polygraft.balancing.modes.mode import Mode, follow_features, head_scales, measured, weigh
from polygraft.balancing.modes.setup import Totals, local_sums, totals
from polygraft.balancing.modes.step_gradients import StepGradients


class Losses(Mode):
    """No gradient is looked at; a cut is used where there is one, and not needed."""

    def backward(self, tapes: Sequence[Tape], step: int, *, measure: bool) -> Measured:
        """One backward; nothing is measured but the losses and the weights."""
        setup = self.setup
        known = totals(setup, setup.shards.sum(local_sums(setup, tape) for tape in tapes), tapes, step)
        if not known.names:
            return self.rest(known)
        weights = weigh(setup, known, StepGradients(known, setup.seed, setup.shards))
        if tapes[0].cut is not None:
            follow_features(setup, known, tapes, [pull.heads(setup, tape) for tape in tapes], weights)
        elif setup.balancer.heads == "weighted" or all(weight == 1 for weight in weights):
            deposit(setup, known, self._one_backward(tapes, known, weights), None)
        else:
            deposit(setup, known, self._heads_apart(tapes, known, weights), head_scales(setup, known, weights))
        return measured(known, weights=weights)

    def _one_backward(
        self, tapes: Sequence[Tape], known: Totals, weights: Sequence[float]
    ) -> Iterator[tuple[Sequence[pull.Gradient], OwnGradients]]:
        scales = {task: w / n for task, w, n in zip(known.names, weights, known.weights, strict=True)}
        for tape in tapes:
            yield pull.weighted(self.setup, tape, scales)

    def _heads_apart(
        self, tapes: Sequence[Tape], known: Totals, weights: Sequence[float]
    ) -> Iterator[tuple[Sequence[pull.Gradient], OwnGradients]]:
        """Plain heads without a cut: they are differentiated once more, which does not go down into the trunk."""
        scales = {task: w / n for task, w, n in zip(known.names, weights, known.weights, strict=True)}
        for tape in tapes:
            own = pull.plain_heads(self.setup, tape, known.names)
            yield pull.weighted(self.setup, tape, scales, own=False)[0], own
