"""Playing: batches of environments, played step by step between updates, and of the tables beside them.

Each shard owns instances of its own and what they have shown: it plays them with parameters that are equal on every worker, and
draws its rows from its own memory. So the number of workers changes nothing, as everywhere, where an environment is a function
of its seed and its actions.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polygraft.core.batch import Batch
from polygraft.core.seeding import numpy_generator
from polygraft.data.base import Act, ShardBatches, Stream
from polygraft.data.elsewhere import played_words
from polygraft.data.environments import EnvironmentSpec, Instances, Moves
from polygraft.data.replay import Replay, Replayed
from polygraft.data.rollouts import Rollouts, rollout

Gather = Callable[[Any], list[Any] | None]
"""All workers' values in the order of their ranks, on rank 0; None on the others."""

_BLOCK = 1024  # plays whose chance is drawn at once: play t's is number t % 1024 of block t // 1024
_RECENT = 20  # finished episodes of a shard whose returns are told


@dataclass(frozen=True)
class Played:
    """An environment as one task learns from it. rows: a step, over all shards. steps: of the whole run."""

    spec: EnvironmentSpec
    task: str
    experience: Replayed | Rollouts
    rows: int
    num_shards: int
    steps: int

    @property
    def instances(self) -> int:
        """Of a shard."""
        return self.spec.instances // self.num_shards


class Arena:
    """A shard's instances of one environment, and what of their past is learned from."""

    def __init__(self, played: Played, shard: int) -> None:
        self.played, self.shard = played, shard
        count = played.instances
        self.instances = Instances(played.spec, range(shard * count, (shard + 1) * count))
        self.plays = 0  # steps of each instance
        self.episodes = 0
        self.recent = np.zeros(_RECENT)  # returns of the episodes that ended last
        self._running = np.zeros(count)
        self._drawn: tuple[int, Tensor] = (-1, torch.empty(0))  # the chance of a block of plays, and which one
        said = played.experience
        self.replay: Replay | None = None
        if isinstance(said, Replayed):
            length = max(1, said.capacity // played.spec.instances)
            self.replay = Replay(said, length, count, self.instances.width)

    def draw(self, step: int, act: Act) -> Batch:
        """Play, then the rows of a step."""
        played, said = self.played, self.played.experience
        count = played.rows // played.num_shards
        if self.replay is None:
            return rollout([self._play(act) for _ in range(count // played.instances)], played.task)
        assert isinstance(said, Replayed)
        wanted = max(said.every, -(-said.warm_up // played.spec.instances)) if not self.replay.added else said.every
        for _ in range(wanted):
            self.replay.add(self._play(act))
        chance = numpy_generator(played.spec.seed, "replay", played.spec.table, self.shard, step)
        correction = said.correction + (1 - said.correction) * step / played.steps
        return self.replay.draw(count, chance, correction, played.task)

    def counts(self) -> list[float]:
        """[steps, episodes, the sum of the last returns, of how many]."""
        steps, known = self.plays * len(self._running), min(self.episodes, _RECENT)
        return [float(steps), float(self.episodes), float(self.recent[:known].sum()), float(known)]

    def state(self) -> dict[str, Tensor]:
        """Everything; an episode is its number and the actions taken in it."""
        each = self.instances.each
        kept = {
            "plays": torch.tensor(self.plays),
            "finished": torch.tensor(self.episodes),
            "recent": torch.from_numpy(self.recent.copy()),
            "running": torch.from_numpy(self._running.copy()),
            "episodes": torch.tensor([instance.episode for instance in each]),
            "taken": torch.tensor([len(instance.actions) for instance in each]),
            "actions": torch.tensor([action for instance in each for action in instance.actions], dtype=torch.int64),
        }
        return kept | ({f"replay/{name}": value for name, value in self.replay.state().items()} if self.replay else {})

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a saved state; the episodes are played again to where they were."""
        self.plays, self.episodes = int(state["plays"]), int(state["finished"])
        self.recent[:], self._running[:] = state["recent"].numpy(), state["running"].numpy()
        actions = state["actions"].split(state["taken"].tolist())
        self.instances.resume(state["episodes"].tolist(), [each.tolist() for each in actions])
        if self.replay:
            self.replay.load({name.partition("/")[2]: each for name, each in state.items() if "/" in name})

    def _play(self, act: Act) -> Moves:
        actions = act(self.played.spec.table, torch.from_numpy(self.instances.now), self._chance())
        moves = self.instances.step(actions.numpy())
        self.plays += 1
        self._running += moves.rewards
        for at in np.flatnonzero(moves.ended).tolist():
            self.recent[self.episodes % _RECENT] = self._running[at]
            self._running[at] = 0.0
            self.episodes += 1
        return moves

    def _chance(self) -> Tensor:
        """float64 [instances, 2] in [0, 1): of this play."""
        block, at = divmod(self.plays, _BLOCK)
        if block != self._drawn[0]:
            generator = numpy_generator(self.played.spec.seed, "act", self.played.spec.table, self.shard, block)
            self._drawn = block, torch.from_numpy(generator.random((_BLOCK, len(self._running), 2)))
        return self._drawn[1][at]


class PlayedStream(Stream):
    """The batches of environments, and of `tables` where there are some: every step takes all of them.

    shards: of this worker. gather: how rank 0 hears of the others' shards, for what is saved and told.
    """

    def __init__(
        self, played: Sequence[Played], tables: Stream | None, shards: range, *, gather: Gather = lambda mine: [mine]
    ) -> None:
        self.tables, self.shards, self._gather = tables, shards, gather
        self.arenas = {each.spec.table: {shard: Arena(each, shard) for shard in shards} for each in played}

    def batches(self, cursor: int, act: Act | None = None) -> Iterator[ShardBatches]:
        """The batches of steps cursor, cursor + 1, ...; a step is played when it is asked for, with the policy of that moment."""
        assert act is not None, "an environment asks for actions"
        beside = self.tables.batches(cursor) if self.tables else itertools.repeat([{}] * len(self.shards))
        for step, found in enumerate(beside, cursor):
            mine = [dict(each) for each in found]
            for table, arenas in self.arenas.items():
                for at, shard in enumerate(self.shards):
                    mine[at][table] = arenas[shard].draw(step, act)
            yield mine

    def observe(self, step: int, feedback: Mapping[str, float]) -> None:
        """Tell the tables' mixture the step's losses by task."""
        if self.tables:
            self.tables.observe(step, feedback)

    def surprised(self, table: str, shard: int, rows: Tensor, errors: Tensor) -> None:
        """Tell a shard's memory how wrong its rows were."""
        if table in self.arenas and (replay := self.arenas[table][shard].replay):
            replay.prefer(rows.numpy(), errors.numpy())

    def counts(self) -> list[float]:
        """Of each environment the steps, the episodes, the sum of the last returns, and of how many."""
        return [
            each
            for mine in self.arenas.values()
            for each in np.sum([one.counts() for one in mine.values()], 0).tolist()
        ]

    def told(self, step: int) -> dict[str, float]:
        """What the tables tell; of each environment what was played, on rank 0."""
        found = self.tables.told(step) if self.tables else {}
        # By shard and not by worker: a sum of sums would know who holds which.
        mine = {shard: [each.counts() for each in arenas] for shard, arenas in self._by_shard().items()}
        if (everyone := self._gather(mine)) is None:
            return found
        shards = [counts for some in everyone for counts in some.values()]
        return found | played_words(tuple(self.arenas), np.sum(shards, 0).ravel().tolist())

    def state(self) -> dict[str, Tensor]:
        """All history of all shards, on rank 0; called by every worker."""
        mine = {
            f"{table}/{shard}/{name}": each
            for table, arenas in self.arenas.items()
            for shard, arena in arenas.items()
            for name, each in arena.state().items()
        }
        kept = {name: each for some in self._gather(mine) or () for name, each in some.items()}
        return kept | ({f"tables//{name}": each for name, each in self.tables.state().items()} if self.tables else {})

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a saved history, of which this worker takes its shards'."""
        for table, arenas in self.arenas.items():
            for shard, arena in arenas.items():
                first = f"{table}/{shard}/"
                arena.load({name.removeprefix(first): each for name, each in state.items() if name.startswith(first)})
        if self.tables:
            first = "tables//"
            self.tables.load({name.removeprefix(first): each for name, each in state.items() if name.startswith(first)})

    def _by_shard(self) -> dict[int, list[Arena]]:
        return {shard: [arenas[shard] for arenas in self.arenas.values()] for shard in self.shards}
