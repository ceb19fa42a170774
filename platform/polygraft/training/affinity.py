"""How much a step of the shared parameters along one task's gradient lowers another task's loss, measured beside a joint run.

Fifty et al. 2021, "Efficiently Identifying Task Groupings for Multi-Task Learning", https://arxiv.org/abs/2109.04617,
equation 1: Z_ij = 1 - L_j(theta - lr g_i) / L_j(theta), on the same batch, and its first order lr g_i.g_j / L_j.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from polygraft.balancing.gradients import Measured, NotFinite, Tape
from polygraft.balancing.modes import pull
from polygraft.balancing.modes.parameters import rows_of
from polygraft.balancing.modes.setup import Totals, local_sums, totals
from polygraft.balancing.modes.step_gradients import inner
from polygraft.data.base import ShardBatches, Stream
from polygraft.training.learner import Learner
from polygraft.training.state import State
from polygraft.training.steps.base import Step
from polygraft.training.steps.joint import Joint

EVERY, AHEAD_EVERY = 10, 50
"""Steps between two measurements of the first order, and of the true look-ahead."""
OWN_GAIN = 0.01
"""The largest share of its own loss that a task's look-ahead step is to take off, to first order; that sets the step's size."""


@dataclass(frozen=True)
class Affinities:
    """One step's: float64 [K, K], lines whose gradient, columns whose loss; nan where a task had no label, or no loss.

    ahead: of the true look-ahead, on the same batch and with the same size of step; None where it was not due.
    """

    step: int
    first_order: Tensor
    ahead: Tensor | None


class Measuring(Step):
    """A joint step that first measures affinities on its batch; what it then learns is what it would have learned without."""

    def __init__(self, joint: Joint, *, own_gain: float = OWN_GAIN) -> None:
        self.joint, self.own_gain = joint, own_gain
        self.found: list[Affinities] = []

    def update(self, state: State, stream: Stream) -> Measured:
        """Measure where it is due, then take the joint step."""
        batches = self.joint.draw(state, stream)
        if state.step % EVERY == 0:
            state.learner.network.sharing.advance(state.step / self.joint.learning.steps)
            try:
                with _untouched(state.learner):
                    self.found.append(self._measured(state, batches[0]))
            except NotFinite:
                pass  # of the batch that is about to be learned: the joint step tells it with task and rows
        return self.joint.learn(state, stream, batches)

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
        if state.step % AHEAD_EVERY == 0:
            after = torch.full_like(gramian, torch.nan)
            for i in range(len(known.names)):
                gradient = setup.shards.gather_columns(torch.cat([block[i] for block in rows]), setup.shared.size)
                after[i] = self._after(state, batches, -lr * gradient)
            ahead = _spread((losses - after) / size.masked_fill(size == 0, torch.nan), known, len(setup.tasks))
        return Affinities(state.step, _spread(lr * relative, known, len(setup.tasks)), ahead)

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
