"""Predictor: a network's outputs for rows that are not learned from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from polygraft.core.batch import Batch
from polygraft.core.padding import stacked
from polygraft.core.seeding import seed_torch
from polygraft.training.learner import Learner


class Predictor:
    """Runs a learner's network in evaluation mode, without gradient; puts its training mode back."""

    def __init__(self, learner: Learner, device: torch.device) -> None:
        self.learner, self.device = learner, device

    @torch.no_grad()
    def outputs(self, table: str, batches: Iterable[Batch], tasks: Sequence[str]) -> dict[str, Tensor]:
        """What each task's objective answers `[rows, ...]`, rows in the order of the batches; no rows give `[0, size]`.

        What an answer draws is the same for every batch, and the caller's own chance is left as it was.
        """
        training = self.learner.training
        self.learner.eval()
        try:
            found: dict[str, list[Tensor]] = {task: [] for task in tasks}
            for batch in batches:
                view = self.learner.network.view({table: batch.to(self.device)})
                with torch.random.fork_rng(devices=[]):
                    for task in tasks:
                        seed_torch(0, 0, 0, f"answers {task}")
                        found[task].append(self.learner.objective(task).answers(view).float())
        finally:
            self.learner.train(training)
        return {task: stacked(parts) if parts else self._nothing(task) for task, parts in found.items()}

    def _nothing(self, task: str) -> Tensor:
        return torch.empty((0, self.learner.objective(task).width), device=self.device)
