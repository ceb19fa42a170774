"""Asynchronous gradient descent, Mnih et al. 2016 (https://arxiv.org/abs/1602.01783), algorithms S2 and S3, with a keeper of parameters as Dean et al. 2012 have it.

The first worker keeps the parameters and one optimiser for all; every other one learns on a copy, from its own shards of the batch
and its own environments, and its gradient is applied as it arrives. Which comes first is up to the machine: this is outside the
promise of equal bits, and what the learners had played is not saved.
"""

from __future__ import annotations

import math

import torch.distributed as dist

from polygraft.balancing.gradients import Measured
from polygraft.data.base import Stream
from polygraft.data.elsewhere import Elsewhere
from polygraft.training.clock import Clock
from polygraft.training.state import State
from polygraft.training.steps.base import Step
from polygraft.training.steps.joint import Joint, Learning
from polygraft.training.wire import Wire


class Asynchronous(Step):
    """Each update is one learner's gradient, taken at parameters that others may have moved since; how often they did is logged."""

    apart = True

    def __init__(self, learning: Learning, clock: Clock, /) -> None:
        self.joint, self.clock = Joint(learning, clock), clock
        self._wire: Wire | None = None

    def update(self, state: State, stream: Stream) -> Measured:
        """The keeper's: wait for a gradient, move, and send its learner on."""
        assert isinstance(stream, Elsewhere), "the keeper draws no rows"
        if self._wire is None:
            self._wire = _wire(state, stream)
            for learner in _learners():
                self._wire.lend(learner, state.step)
        with self.clock.part("data"):
            arrived = self._wire.take()
        tasks = state.gradients.tasks
        rows, *told = arrived.told
        losses = dict(zip(tasks, told, strict=False))
        found = {task: loss for task, loss in losses.items() if not math.isnan(loss)}
        self.joint.push(state, found)
        for _, objective in state.learner.tasks():
            objective.after_step(state.learner.network)
        stream.heard(arrived.source, state.step - arrived.version, told[len(tasks) :])
        self.clock.rows(int(rows))
        state.step += 1
        self._wire.lend(arrived.source, state.step)
        return Measured(tuple(found), found, {})

    def end(self, state: State) -> None:
        """The keeper's: let every learner go; what it is about to bring is not wanted any more."""
        begun = self._wire is not None
        wire = self._wire or _wire(state, state.stream)
        for learner in _learners():
            if begun:
                wire.take(learner)
            wire.lend(learner, state.step, stop=True)

    def learn(self, state: State, stream: Stream) -> None:
        """A learner's whole work: its gradient at the parameters that it was lent, again and again, until none is wanted."""
        wire = _wire(state, stream)
        version = wire.borrow()
        state.step = (version or 0) // len(_learners())  # where a run goes on, a table's rows go on, too
        while version is not None:
            batches = self.joint.draw(state, stream)
            measured = self.joint.pull(state, stream, batches)
            rows = sum(len(batch) for shards in batches for shard in shards for batch in shard.values())
            losses = [measured.losses.get(task, math.nan) for task in state.gradients.tasks]
            wire.give(version, [rows, *losses, *stream.counts()])
            stream.observe(state.step, measured.losses)
            state.step += 1
            version = wire.borrow()


def _wire(state: State, stream: Stream) -> Wire:
    return Wire(state.learner, told=1 + len(state.gradients.tasks) + len(stream.counts()))


def _learners() -> range:
    return range(1, dist.get_world_size())
