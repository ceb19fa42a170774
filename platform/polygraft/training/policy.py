"""Policy: how environments are played with what was learned so far, to learn from or to be scored."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from polygraft.core.batch import Batch
from polygraft.data.environments import EPISODES_AT_ONCE, EnvironmentSpec, returns_of
from polygraft.objectives.policies import Acting
from polygraft.training.learner import Learner
from polygraft.training.state import State


class Policy:
    """Actions for a run's environments, of the network as it is when it is asked. steps: of the whole run; device: the network's.

    Nothing is dropped out of a network that acts: it is put in evaluation mode when it is first asked, until `rest`.
    """

    def __init__(self, state: State, steps: int, device: torch.device) -> None:
        self.state, self.steps, self.device = state, steps, device
        self._acts = False

    @torch.no_grad()
    def __call__(self, table: str, observations: Tensor, chance: Tensor) -> Tensor:
        """An action each, int64 [rows]."""
        learner = self.state.learner
        task = next(task for task, of in learner.network.tables.items() if of == table)
        objective = learner.objective(task)
        assert isinstance(objective, Acting)
        if not self._acts:
            learner.network.eval()
            self._acts = True
        outputs = learner.network.view(_shown(table, observations, self.device)).outputs[task]
        return objective.choose(outputs.float(), chance.to(self.device), self.state.step / self.steps).cpu()

    def rest(self) -> None:
        """The network is to learn now."""
        if self._acts:
            self.state.learner.network.train()
            self._acts = False


def greedy_returns(
    learner: Learner, environment: EnvironmentSpec, task: str, *, part: str, blocks: range, device: torch.device
) -> Tensor:
    """[episodes, 1]: the returns of blocks of EPISODES_AT_ONCE greedy episodes, of `part`'s seeds; the last block may be smaller."""
    objective = learner.objective(task)
    assert isinstance(objective, Acting)

    def act(observations: np.ndarray) -> np.ndarray:
        shown = _shown(environment.table, torch.from_numpy(observations), device)
        found: np.ndarray = objective.greedy(learner.network.view(shown).outputs[task].float()).cpu().numpy()
        return found

    training = learner.training
    learner.eval()
    try:
        with torch.no_grad():
            found = [returns_of(environment, part, _episodes(block, objective.episodes), act) for block in blocks]
    finally:
        learner.train(training)
    return torch.from_numpy(np.concatenate([np.empty(0), *found])).unsqueeze(1)


def _episodes(block: int, episodes: int) -> range:
    return range(block * EPISODES_AT_ONCE, min((block + 1) * EPISODES_AT_ONCE, episodes))


def _shown(table: str, observations: Tensor, device: torch.device) -> Mapping[str, Batch]:
    return {table: Batch({"numbers": observations.to(device)})}
