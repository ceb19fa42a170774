"""How the learning rate moves: pure functions of (step, steps), so a schedule has no state to save."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

SHAPES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1.0 - done,
    "cosine": lambda done: 0.5 * (1.0 + math.cos(math.pi * done)),
}
"""By name: the factor after a share `done` in [0, 1] of the steps that follow the warm-up."""


@dataclass(frozen=True)
class Schedule:
    """A warm-up in a straight line, then one of SHAPES down to `floor` of the full rate.

    warmup: steps until the full rate is reached. floor: the last factor, in [0, 1].
    """

    name: str = "constant"
    warmup: int = 0
    floor: float = 0.0

    def factor(self, step: int, steps: int) -> float:
        """What the learning rate is multiplied with at `step` of `steps`."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / max(1, steps - self.warmup))
        return self.floor + (1.0 - self.floor) * SHAPES[self.name](done)
