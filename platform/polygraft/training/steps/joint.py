"""The joint step: the tasks of all tables that it takes at once, balanced, over the shards of the global batch (Caruana 1997, "Multitask Learning")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from polygraft.balancing.gradients import Gradients, Measured, NotFinite, Tape
from polygraft.core.batch import Batch
from polygraft.core.errors import RunFailed
from polygraft.core.seeding import seed_torch
from polygraft.data.base import ShardBatches, Stream
from polygraft.training.clock import Clock
from polygraft.training.optimizers import set_rate
from polygraft.training.schedules import Schedule
from polygraft.training.state import State
from polygraft.training.steps.base import Step


@dataclass(frozen=True)
class Learning:
    """The settings of an update. clip: the largest gradient norm, None for no bound; shards: the numbers of this rank's shards."""

    seed: int
    steps: int
    schedule: Schedule
    shards: range
    offsets: tuple[int, ...]  # first row of each of this rank's shards in the global batch
    task_weights: dict[str, float]
    clip: float | None
    bf16: bool
    device: torch.device


class Joint(Step):
    """One optimiser step on the balanced gradient of all tasks."""

    def __init__(self, learning: Learning, clock: Clock, /) -> None:
        self.learning, self.clock = learning, clock
        self._batches: Iterator[ShardBatches] | None = None
        self._cursor = -1

    def update(self, state: State, stream: Stream) -> Measured:
        """Forward each shard, balance, one trunk backward, one optimiser step."""
        state.learner.network.sharing.advance(state.step / self.learning.steps)
        with self.clock.part("data"):
            batches = self._draw(state.step, stream)
        with self.clock.part("forward"):
            tapes = [
                self._tape(state, number, batch) for number, batch in zip(self.learning.shards, batches, strict=True)
            ]
        with self.clock.part("backward"):
            measured = self._balance(state.gradients, tapes, batches, state.step)
        with self.clock.part("optimizer"):
            state.learner.network.rest(measured.tasks)
            self._move(state)
        if state.gradients.observes:
            self._look_back(state, batches)
        for _, objective in state.learner.tasks():
            objective.after_step(state.learner.network)
        stream.observe(state.step, measured.losses)
        self.clock.rows(sum(len(batch) for shard in batches for batch in shard.values()))
        state.step += 1
        return measured

    def _draw(self, step: int, stream: Stream) -> ShardBatches:
        """The batch of `step`; a seek where the last one drawn was not the one before."""
        if self._batches is None or self._cursor != step:
            self._batches = stream.batches(step)
        self._cursor = step + 1
        shards = next(self._batches)
        return [{table: batch.to(self.learning.device) for table, batch in shard.items()} for shard in shards]

    def _tape(self, state: State, number: int, batch: dict[str, Batch]) -> Tape:
        """One shard's losses with their graph; its chance is its own, so no worker count changes it."""
        seed_torch(self.learning.seed, state.step, number, "forward")
        with torch.autocast(self.learning.device.type, torch.bfloat16, enabled=self.learning.bf16):
            view = state.learner.network.view(batch, aliased=state.gradients.at_cut)
            found = {task: state.learner.objective(task).losses(view, batch) for task in view.outputs}
        losses = {task: loss.total * self.learning.task_weights[task] for task, loss in found.items()}
        offset = self.learning.offsets[number - self.learning.shards.start]
        return Tape(losses, {task: loss.weight for task, loss in found.items()}, cut=view.cut(), offset=offset)

    def _balance(self, gradients: Gradients, tapes: list[Tape], batches: ShardBatches, step: int) -> Measured:
        try:
            return gradients.backward(tapes, step)
        except NotFinite as error:
            raise RunFailed(_words(error, batches, self.learning.shards)) from None

    def _move(self, state: State) -> None:
        learning = self.learning
        if learning.clip is not None:
            nn.utils.clip_grad_norm_(state.learner.parameters(), learning.clip)
        set_rate(state.optimizer, learning.schedule.factor(state.step, learning.steps))
        state.optimizer.step()
        state.optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def _look_back(self, state: State, batches: ShardBatches) -> None:
        """Tell the balancer the losses after the update, on the same rows with the same chance."""
        tapes = [self._tape(state, number, batch) for number, batch in zip(self.learning.shards, batches, strict=True)]
        state.gradients.observe(tapes, state.step)


def _words(error: NotFinite, batches: ShardBatches, mine: range) -> str:
    """The step, the tasks and the row numbers of the shards where it happened."""
    rows: dict[str, list[int]] = {}
    for number, shard in zip(mine, batches, strict=True):
        if number in error.shards:
            for table, batch in shard.items():
                rows.setdefault(table, []).extend(batch.rows.tolist())
    told = [f"rows of '{table}': {', '.join(map(str, numbers))}" for table, numbers in rows.items()]
    return f"{error} The batch's {'; '.join(told)}." if told else str(error)
