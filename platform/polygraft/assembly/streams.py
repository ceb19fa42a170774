"""From a suite and its tables to where a run's rows come from: rows of tables, and what environments show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from polygraft.assembly.mixing import mixture, total_steps
from polygraft.core.batch import Batch
from polygraft.data.base import Stream
from polygraft.data.batches import TableStream
from polygraft.data.elsewhere import Elsewhere
from polygraft.data.environments import EPISODES_AT_ONCE
from polygraft.data.playing import Played, PlayedStream
from polygraft.data.preparation import Prepared
from polygraft.objectives.policies import Acting
from polygraft.suite.schema import Suite
from polygraft.training.evaluate import Split
from polygraft.training.learner import Learner
from polygraft.training.policy import greedy_returns
from polygraft.training.ranks import gather


def stream_of(suite: Suite, prepared: Mapping[str, Prepared], learns: Learner, shards: range) -> Stream:
    """The batches of this rank's shards; where it has none, rows are drawn elsewhere."""
    if not shards:
        return Elsewhere([name for name, table in prepared.items() if table.environment is not None])
    tables = {name: table for name, table in prepared.items() if table.environment is None}
    rows = _rows(suite, tables, shards) if tables else None
    steps = total_steps(suite, prepared)
    played = [_played(suite, table, learns, steps) for table in prepared.values() if table.environment is not None]
    if not played:
        assert rows is not None, "a suite has a table"
        return rows
    return PlayedStream(played, rows, shards, gather=gather)


def _rows(suite: Suite, tables: Mapping[str, Prepared], shards: range) -> TableStream:
    said = suite.train
    return TableStream(
        tables,
        said.batch_size,
        seed=suite.seed,
        shards=shards,
        num_shards=said.shards,
        mixture=mixture(suite, tables),
    )


def _played(suite: Suite, table: Prepared, learns: Learner, steps: int) -> Played:
    assert table.environment is not None
    task, objective = _acting(table, learns)
    said = suite.train
    return Played(table.environment, task, objective.experience, said.batch_size, said.shards, steps)


def episodes_of(table: Prepared, part: str, learns: Learner, device: torch.device) -> Split:
    """A split of an environment: whole episodes, played greedily; its outputs are their returns."""
    environment = table.environment
    assert environment is not None
    task, objective = _acting(table, learns)

    def play(learner: Learner, blocks: range) -> Tensor:
        return greedy_returns(learner, environment, task, part=part, blocks=blocks, device=device)

    def nothing(_: range) -> Iterator[Batch]:
        return iter(())

    def labels() -> Batch:
        count = objective.episodes
        yes = torch.ones(count, dtype=torch.bool)
        return Batch({}, {task: torch.zeros(count, 1)}, {task: yes}, torch.ones(count), torch.arange(count))

    return Split(table.name, objective.episodes, nothing, labels, play, EPISODES_AT_ONCE)


def _acting(table: Prepared, learns: Learner) -> tuple[str, Acting]:
    """The one task that learns from an environment, and its objective."""
    (task,) = table.target_info
    objective = learns.objective(task)
    assert isinstance(objective, Acting), "the suite's checks let none but these learn from an environment"
    return task, objective
