"""State: everything of a run that changes from step to step, and nothing else."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from polygraft.balancing.gradients import Gradients
from polygraft.core.errors import fault
from polygraft.data.base import Stream
from polygraft.storage.base import Snapshot
from polygraft.training.learner import Learner
from polygraft.training.optimizers import load_optimizer, optimizer_tensors
from polygraft.training.players import Players

FORMAT = 1
"""Of a checkpoint's facts and names; raised when either changes."""


@dataclass(frozen=True)
class Goal:
    """The validation figure that selects weights. name: `<task>/<metric>`; sign: 1 when more is better, -1 when less is."""

    name: str
    sign: int


@dataclass
class State:
    """Where a run stands. What learns is held live; `snapshot` and `load` turn it into named tensors and back.

    best: the goal's best value so far, at step best_step; waited: evaluations since. saved: the step of the last checkpoint.
    """

    learner: Learner
    optimizer: Optimizer
    gradients: Gradients
    stream: Stream
    players: Players
    step: int = 0
    phase: int = 0
    best: float | None = None
    best_step: int = -1
    waited: int = 0
    saved: int = -1
    facts: dict[str, Any] = field(default_factory=dict)  # what must not change under a run: threads, shards

    @property
    def improved(self) -> bool:
        """Whether this step's weights are the best so far."""
        return self.best_step == self.step

    def record(self, scores: Mapping[str, float], goal: Goal) -> Mapping[str, float]:
        """Take an evaluation into account, and give it back."""
        value = scores.get(f"validation/{goal.name}")
        if value is not None and (self.best is None or goal.sign * value > goal.sign * self.best):
            self.best, self.best_step, self.waited = value, self.step, 0
        else:
            self.waited += 1
        return scores

    def snapshot(self) -> Snapshot:
        """All that is needed to go on as if nothing had happened; a collective where the balancer's state is sharded."""
        self.saved = self.step
        tensors = {
            "weights": dict(self.learner.state_dict()),
            "optimizer": optimizer_tensors(self.optimizer, self._names()),
            "players": self.players.state_dict(),
            "balancer": self.gradients.state_dict(),
            "stream": self.stream.state(),
        }
        moving = {"phase": self.phase, "best": self.best, "best_step": self.best_step, "waited": self.waited}
        versions = {"torch": torch.__version__, "python": platform.python_version()}
        facts = {"format": FORMAT, "step": self.step, **moving, "fixed": self.facts, "versions": versions}
        return Snapshot(self.step, tensors, facts, best=self.improved)

    def load(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot, strictly.

        Raises UserError when it was made with other threads or shards: the bits would differ.
        """
        facts = snapshot.facts
        changed = {key: (old, self.facts[key]) for key, old in facts["fixed"].items() if self.facts.get(key) != old}
        if changed:
            words = ", ".join(f"{key} was {old}, is {new}" for key, (old, new) in changed.items())
            raise fault(
                f"the checkpoint of step {snapshot.step} cannot go on exactly: {words}. Start another run, or set it back."
            )
        self.learner.load_state_dict(snapshot.tensors["weights"])
        load_optimizer(self.optimizer, self._names(), snapshot.tensors["optimizer"])
        self.players.load_state_dict(
            snapshot.tensors.get("players", {})
        )  # checkpoints from before there were any have none
        self.gradients.load_state_dict(snapshot.tensors["balancer"])
        self.stream.load(snapshot.tensors["stream"])
        self.step = self.saved = snapshot.step
        self.phase, self.best = facts["phase"], facts["best"]
        self.best_step, self.waited = facts["best_step"], facts["waited"]

    def _names(self) -> dict[Tensor, str]:
        return {parameter: name for name, parameter in self.learner.named_parameters()}
