"""Losses: methods that look at losses alone; a step is one ordinary backward of the weighted sum of global mean losses.

The weights must be known first, and they come from GLOBAL losses: one small collective before the backward.
"""

from __future__ import annotations

from polygraft.balancing.modes.follow import follow
from polygraft.balancing.modes.measured import Measured
from polygraft.balancing.modes.mode import Batches, Mode, measured, rest, weigh
from polygraft.balancing.modes.setup import local_sums, totals
from polygraft.balancing.modes.step_gradients import StepGradients


class Losses(Mode):
    """No gradient is looked at; a cut is used where there is one, and not needed."""

    def backward(self, batches: Batches, step: int, *, measure: bool) -> Measured:
        """One backward; nothing is measured but the losses and the weights."""
        setup, (tapes,) = self.setup, batches
        known = totals(setup, setup.shards.sum(local_sums(setup, tape) for tape in tapes), tapes, step)
        if not known.names:
            return rest(setup, known)
        weights = weigh(setup, known, StepGradients(known, setup.seed, setup.shards))
        follow(setup, known, tapes, weights)
        return measured(known, weights=weights)
