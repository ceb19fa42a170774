"""Experiment: everything that one run is made of, put together by assembly, and when what is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch.optim import Optimizer

from polygraft.balancing.gradients import Gradients, Measured
from polygraft.data.base import Stream
from polygraft.storage.base import Snapshot
from polygraft.tracking.machine import usage
from polygraft.training.clock import Clock
from polygraft.training.evaluate import Evaluation
from polygraft.training.learner import Learner
from polygraft.training.players import Players
from polygraft.training.ranks import agree_flags
from polygraft.training.state import Goal, State
from polygraft.training.steps.base import Step
from polygraft.transfer.base import Plan


@dataclass(frozen=True)
class Cadence:
    """How often what happens, in steps; save_seconds adds checkpoints by the clock. 0 is never.

    reuse: steps between two refreshes of the balancer's weights, 1 where they are always fresh.
    """

    steps: int
    log: int
    evaluate: int
    save: int
    save_seconds: float = 0.0
    patience: int | None = None
    reuse: int = 1

    def first_refresh(self, step: int) -> bool:
        """Whether reused weights were refreshed at `step`, for the first time since a line was due: its Gramian and drift are news.

        By numbers alone, so that a run that goes on logs the same lines.
        """
        refreshed = self.reuse > 1 and self.log > 0 and step % self.reuse == 0
        return refreshed and step // self.log != (step - self.reuse) // self.log


@dataclass(frozen=True)
class Due:
    """What is to be done after a step."""

    log: bool
    evaluate: bool
    save: bool
    stop: bool


@dataclass
class Experiment:
    """One run's parts. `stopping` says, on rank 0, whether somebody asked the run to stop."""

    learner: Learner
    optimizer: Optimizer
    gradients: Gradients
    stream: Stream
    players: Players
    step: Step
    plan: Plan
    evaluation: Evaluation
    goal: Goal
    cadence: Cadence
    device: torch.device
    clock: Clock
    facts: Mapping[str, int]
    stopping: Callable[[], bool] = lambda: False
    _saved_at: float = field(default_factory=time.monotonic)

    def state(self, snapshot: Snapshot | None) -> State:
        """Where the run stands: at the snapshot, or at its beginning."""
        state = State(self.learner, self.optimizer, self.gradients, self.stream, self.players, facts=dict(self.facts))
        if snapshot:
            state.load(snapshot)
        return state

    def finished(self, state: State) -> bool:
        """Whether the last step is done, or patience is at its end."""
        patience = self.cadence.patience
        return state.step >= self.cadence.steps or (patience is not None and state.waited >= patience)

    def due(self, state: State) -> Due:
        """What is to be done now; equal on every rank, since what a clock or a signal says is asked of rank 0 alone."""
        every = self.cadence
        last = state.step >= every.steps
        now = time.monotonic()
        overdue = 0 < every.save_seconds <= now - self._saved_at
        stop, overdue = agree_flags((self.stopping(), overdue), self.device)
        save = last or stop or overdue or _divides(every.save, state.step)
        if save:
            self._saved_at = now
        return Due(
            log=last or _divides(every.log, state.step) or every.first_refresh(state.step - 1),
            evaluate=last or _divides(every.evaluate, state.step),
            save=save,
            stop=stop,
        )

    def measurements(self, measured: Measured, step: int) -> dict[str, float]:
        """What a step's gradients said, which tables the first `step` steps took, and where the time went since it was last asked."""
        losses = {f"train/{task}/loss": loss for task, loss in measured.losses.items()}
        balance = {f"balance/{name}": value for name, value in measured.values().items()}
        mixture = {f"mixture/{name}": value for name, value in self.stream.told(step).items()}
        return losses | balance | mixture | dict(measured.beside) | self.clock.take() | usage()


def _divides(every: int, step: int) -> bool:
    return every > 0 and step % every == 0
