"""Learner: all that learns and is saved - the network, and each task's objective with what it remembers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import nn

from polygraft.models.network import Network
from polygraft.objectives.base import Objective


class Learner(nn.Module):
    """A network and the objectives of its tasks, in the suite's order."""

    def __init__(self, network: Network, objectives: Mapping[str, Objective]) -> None:
        super().__init__()
        self.network, self.objectives = network, nn.ModuleDict(dict(objectives))

    def objective(self, task: str) -> Objective:
        """A task's objective."""
        found = self.objectives[task]
        assert isinstance(found, Objective)
        return found

    def tasks(self) -> Iterator[tuple[str, Objective]]:
        """(task, objective), in the suite's order."""
        return ((task, self.objective(task)) for task in self.objectives)
