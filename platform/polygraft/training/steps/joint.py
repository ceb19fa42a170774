"""The joint step: the tasks of all tables that it takes at once, balanced, over the shards of the global batch (Caruana 1997, "Multitask Learning")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from polygraft.balancing.gradients import Gradients, Measured, NotFinite, Tape
from polygraft.core.batch import Batch
from polygraft.core.errors import RunFailed
from polygraft.core.seeding import seed_torch
from polygraft.data.base import ShardBatches, Stream
from polygraft.objectives.base import Loss
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
        return self.learn(state, stream, self.draw(state, stream))

    def draw(self, state: State, stream: Stream) -> list[ShardBatches]:
        """The independent batches of this step, one as a rule; once a step."""
        with self.clock.part("data"):
            return self._draw(state, stream)

    def learn(self, state: State, stream: Stream, batches: list[ShardBatches]) -> Measured:
        """The update from what `draw` gave."""
        state.learner.network.sharing.advance(state.step / self.learning.steps)
        with self.clock.part("forward"):
            tapes = [self.tapes(state, each, number) for number, each in enumerate(batches)]
        with self.clock.part("backward"):
            measured = self._balance(state.gradients, tapes, batches, state.step)
        with self.clock.part("optimizer"):
            state.learner.network.rest(measured.tasks)
            self._move(state)
        if state.gradients.observes:
            self._look_back(state, batches[0])
        self._play(state, batches[0])
        for _, objective in state.learner.tasks():
            objective.after_step(state.learner.network)
        stream.observe(state.step, measured.losses)
        self.clock.rows(sum(len(batch) for shards in batches for shard in shards for batch in shard.values()))
        state.step += 1
        return measured

    def _draw(self, state: State, stream: Stream) -> list[ShardBatches]:
        """The batches of this step, B as a rule 1: those of steps t B to t B + B - 1 of the stream.

        A seek where the last ones drawn were not the ones before; those that the step does not want are passed over.
        """
        count, step = state.gradients.balancer.batches, state.step
        if self._batches is None or self._cursor != step:
            self._batches = stream.batches(step * count)
        self._cursor = step + 1
        drawn = list(islice(self._batches, count))[: state.gradients.batches_of(step)]
        return [[self._moved(shard) for shard in shards] for shards in drawn]

    def _moved(self, shard: dict[str, Batch]) -> dict[str, Batch]:
        return {table: batch.to(self.learning.device) for table, batch in shard.items()}

    def tapes(self, state: State, batches: ShardBatches, number: int = 0) -> list[Tape]:
        """Of one of the step's independent batches; equal for equal parameters, however often it is asked."""
        purpose = f"forward {number}" if number else "forward"
        shards = zip(self.learning.shards, batches, strict=True)
        return [self._tape(state, shard, batch, purpose) for shard, batch in shards]

    def _tape(self, state: State, number: int, batch: dict[str, Batch], purpose: str) -> Tape:
        """One shard's losses with their graph; its chance is its own, so no worker count changes it."""
        seed_torch(self.learning.seed, state.step, number, purpose)
        with torch.autocast(self.learning.device.type, torch.bfloat16, enabled=self.learning.bf16):
            view = state.learner.network.view(batch, aliased=state.gradients.at_cut)
            weights = self.learning.task_weights
            learned = [task for task in view.outputs if weights[task] > 0]
            found = {task: state.learner.objective(task).losses(view, batch) for task in learned}
        losses = {task: loss.total * weights[task] for task, loss in found.items()}
        offset = self.learning.offsets[number - self.learning.shards.start]
        return Tape(losses, {task: loss.weight for task, loss in found.items()}, cut=view.cut(), offset=offset)

    def _balance(
        self, gradients: Gradients, tapes: list[list[Tape]], batches: list[ShardBatches], step: int
    ) -> Measured:
        try:
            return gradients.backward(tapes[0], step, independent=tapes[1:])
        except NotFinite as error:
            raise RunFailed(_words(error, batches[error.batch], self.learning.shards)) from None

    def _move(self, state: State) -> None:
        self._prepare(state.step, state.optimizer, state.learner.parameters())
        state.optimizer.step()
        state.optimizer.zero_grad(set_to_none=True)

    def _prepare(self, step: int, optimizer: Optimizer, parameters: Iterable[Tensor]) -> None:
        """What goes before any optimiser's move: the gradient is bounded, the rate is the schedule's."""
        if self.learning.clip is not None:
            nn.utils.clip_grad_norm_(parameters, self.learning.clip)
        set_rate(optimizer, self.learning.schedule.factor(step, self.learning.steps))

    def _play(self, state: State, batches: ShardBatches) -> None:
        """The moves of all players but `main`, on the same rows, with chance of their own."""

        def ask(place: int, task: str, player: str) -> Loss | None:
            if state.learner.network.tables[task] not in batches[place] or self.learning.task_weights[task] == 0:
                return None
            seed_torch(self.learning.seed, state.step, self.learning.shards[place], f"{task} {player}")
            with torch.autocast(self.learning.device.type, torch.bfloat16, enabled=self.learning.bf16):
                view = state.learner.network.view(batches[place])
                return state.learner.objective(task).losses(view, batches[place], player)

        try:
            state.players.move(state.step, ask, partial(self._prepare, state.step))
        except NotFinite as error:
            raise RunFailed(str(error)) from None

    @torch.no_grad()
    def _look_back(self, state: State, batches: ShardBatches) -> None:
        """Tell the balancer the losses after the update, on the same rows with the same chance."""
        state.gradients.observe(self.tapes(state, batches), state.step)


def _words(error: NotFinite, batches: ShardBatches, mine: range) -> str:
    """The step, the tasks and the row numbers of the shards where it happened."""
    rows: dict[str, list[int]] = {}
    for number, shard in zip(mine, batches, strict=True):
        if number in error.shards:
            for table, batch in shard.items():
                rows.setdefault(table, []).extend(batch.rows.tolist())
    told = [f"rows of '{table}': {', '.join(map(str, numbers))}" for table, numbers in rows.items()]
    return f"{error} The batch's {'; '.join(told)}." if told else str(error)
