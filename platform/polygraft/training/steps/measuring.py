"""How much a step of the shared parameters along one task's gradient lowers another task's loss, Fifty et al. 2021, equation 1.

"Efficiently Identifying Task Groupings for Multi-Task Learning", https://arxiv.org/abs/2109.04617:
Z_ij = 1 - L_j(theta - lr g_i) / L_j(theta), on the same batch, and its first order lr g_i.g_j / L_j.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isfinite
from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.gradients import Measured, NotFinite, Tape
from polygraft.balancing.modes import pull
from polygraft.balancing.modes.parameters import rows_of
from polygraft.balancing.modes.setup import Totals, local_sums, totals
from polygraft.balancing.modes.step_gradients import inner
from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.data.base import ShardBatches, Stream
from polygraft.training.clock import Clock
from polygraft.training.learner import Learner
from polygraft.training.state import State
from polygraft.training.steps.base import Step
from polygraft.training.steps.joint import Joint, Learning

AFFINITY, FIRST_ORDER, AHEAD = "affinity", "first_order", "ahead"
"""Of the history's keys: `affinity/first_order/late/delay` is by how much a step for `late` lowers the loss of `delay`, as a share of it."""


@dataclass(frozen=True)
class Affinities:
    """One step's: float64 [K, K], lines whose gradient, columns whose loss; nan where a task had no label, or no loss.

    ahead: of the true look-ahead, on the same batch and with the same size of step; None where it was not due.
    """

    first_order: Tensor
    ahead: Tensor | None

    def values(self, tasks: Sequence[str]) -> dict[str, float]:
        """What is known of them, by the history's keys."""
        squares = {FIRST_ORDER: self.first_order} | ({} if self.ahead is None else {AHEAD: self.ahead})
        return {
            f"{AFFINITY}/{kind}/{tasks[i]}/{tasks[j]}": value
            for kind, square in squares.items()
            for i, line in enumerate(square.tolist())
            for j, value in enumerate(line)
            if isfinite(value)
        }


class Measuring(Step):
    """A joint step that first measures affinities on its batch; what it then learns is what it would have learned without.

    every: steps between two measurements of the first order.
    ahead_every: steps between two true look-aheads, K forward passes each; taken where a measurement is due as well.
    own_gain: the largest share of its own loss that a task's look-ahead step is to take off, to first order; that sets the
        step's size, where the paper takes the optimiser's.
    """

    def __init__(
        self,
        learning: Learning,
        clock: Clock,
        /,
        every: Annotated[int, Range(min=1)] = 10,
        ahead_every: Annotated[int, Range(min=1)] = 50,
        own_gain: Annotated[float, Range(above=0)] = 0.01,
    ) -> None:
        self.joint = Joint(learning, clock)
        self.every, self.ahead_every, self.own_gain = every, ahead_every, own_gain

    def update(self, state: State, stream: Stream) -> Measured:
        """Measure where it is due, then take the joint step. Raises UserError where the tasks share no parameter."""
        batches, found = self.joint.draw(state, stream), None
        if state.step % self.every == 0:
            if not state.gradients.shared:
                raise fault("affinity is measured on the parameters that tasks share, and these share none.")
            found = self.measured(state, batches[0])
        measured = self.joint.learn(state, stream, batches)
        return measured if found is None else replace(measured, beside=found.values(state.gradients.tasks))

    def measured(self, state: State, batches: ShardBatches) -> Affinities | None:
        """The affinities on this batch, nothing being changed; None where a loss is not finite: the joint step tells it with task and rows."""
        state.learner.network.sharing.advance(state.step / self.joint.learning.steps)
        try:
            with _untouched(state.learner):
                return self._measured(state, batches)
        except NotFinite:
            return None

    def _measured(self, state: State, batches: ShardBatches) -> Affinities:
        setup, tapes = state.gradients.setup, self.joint.tapes(state, batches)
        known = _totals(state, tapes)
        heads = [pull.heads(setup, tape) if tape.cut is not None else None for tape in tapes]
        rows = rows_of(setup, known, tapes, heads)[0]
        gramian, losses = inner(setup.shards, rows), torch.tensor(known.losses, dtype=torch.float64)
        size = losses.abs()
        relative = gramian / size.masked_fill(size == 0, torch.nan)
        largest = float(relative.diagonal().nan_to_num(0).max()) if len(known.names) else 0.0
        lr = self.own_gain / largest if largest > 0 else 0.0
        ahead = None
        if state.step % self.ahead_every == 0:
            after = torch.full_like(gramian, torch.nan)
            for i in range(len(known.names)):
                gradient = setup.shards.gather_columns(torch.cat([block[i] for block in rows]), setup.shared.size)
                after[i] = self._after(state, batches, -lr * gradient)
            ahead = _spread((losses - after) / size.masked_fill(size == 0, torch.nan), known, len(setup.tasks))
        return Affinities(_spread(lr * relative, known, len(setup.tasks)), ahead)

    @torch.no_grad()
    def _after(self, state: State, batches: ShardBatches, move: Tensor) -> Tensor:
        """Float64 [K]: the losses after the shared parameters have moved so; nan where one is not finite any more."""
        shared = state.gradients.setup.shared
        with _untouched(state.learner):
            torch._foreach_add_(list(shared.parameters), shared.parts(move))
            try:
                known = _totals(state, self.joint.tapes(state, batches))
            except NotFinite:
                return torch.tensor(torch.nan, dtype=torch.float64)
        return torch.tensor(known.losses, dtype=torch.float64)


def _totals(state: State, tapes: list[Tape]) -> Totals:
    setup = state.gradients.setup
    return totals(setup, setup.shards.sum(local_sums(setup, tape) for tape in tapes), tapes, state.step)


def _spread(square: Tensor, known: Totals, tasks: int) -> Tensor:
    """[K, K] over all tasks, from that of the present ones."""
    whole = torch.full((tasks, tasks), torch.nan, dtype=torch.float64)
    index = torch.tensor(known.index, dtype=torch.int64)
    whole[index[:, None], index] = square
    return whole


@contextmanager
def _untouched(learner: Learner) -> Iterator[None]:
    """Put every parameter and buffer back, to the bit: a forward pass moves running means, a look-ahead the weights."""
    held = [*learner.parameters(), *learner.buffers()]
    before = [each.detach().clone() for each in held]
    try:
        yield
    finally:
        with torch.no_grad():
            for each, old in zip(held, before, strict=True):
                each.copy_(old)
