"""Learner: all that learns and is saved - the network, and each task's objective with what it remembers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from torch import nn

from polygraft.models.network import Network
from polygraft.objectives.base import Objective, Player


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

    def moved(self, task: str, player: Player) -> list[nn.Parameter]:
        """What a task's player moves, in a fixed order; what does not learn is left out."""
        objective = self.objective(task)
        parts = {
            "shared": self.network.shared_parameters(),
            "own": self.network.own_parameters(task),
            "objective": [each for each in objective.parameters() if each.requires_grad],
        }
        return [each for part in player.moves for each in parts[part]]

    def behind(self, task: str) -> list[nn.Parameter]:
        """What `main` moves for a task alone: what is behind the cut, and what is its objective's own."""
        main = self.objective(task).player("main")
        return self.moved(task, replace(main, moves=tuple(each for each in main.moves if each != "shared")))

    def tasks(self) -> Iterator[tuple[str, Objective]]:
        """(task, objective), in the suite's order."""
        return ((task, self.objective(task)) for task in self.objectives)
