"""Measured: what a balanced step saw, as tensors; they become numbers when somebody logs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor

from polygraft.balancing.modes.agreement import condition, conflict_rate, cosines


@dataclass(frozen=True)
class Measured:
    """One step, the present tasks only, the same on every worker.

    losses: global means. label_weights: global sums of the rows' weights.
    weights: float64 [K], what the method gave each task; None where it combines the gradients element by element.
    gramian: float64 [K, K], as the mode sees it; None for methods on losses.
    agreement: how the mode's Gramian compares with the parameters' (`modes/agreement.py`); empty when not measured now.
    drift: how far reused weights had gone from the fresh ones (`modes/reuse.py`); empty but at a refresh.
    beside: what a step measured besides, by its whole name in the history; empty when nothing was.
    """

    tasks: tuple[str, ...]
    losses: Mapping[str, float]
    label_weights: Mapping[str, float]
    weights: Tensor | None = None
    gramian: Tensor | None = None
    agreement: Mapping[str, float] = field(default_factory=dict)
    drift: Mapping[str, float] = field(default_factory=dict)
    beside: Mapping[str, float] = field(default_factory=dict)

    @property
    def rare(self) -> bool:
        """Whether it holds what is measured now and then, and is told whatever else is due."""
        return bool(self.agreement or self.beside)

    @cached_property
    def cosines(self) -> Tensor | None:
        """[K, K], or None for methods on losses."""
        return None if self.gramian is None else cosines(self.gramian)

    @property
    def norms(self) -> Tensor | None:
        """[K] of the tasks' gradients as the mode sees them, or None for methods on losses."""
        return None if self.gramian is None else self.gramian.diagonal().clamp(min=0).sqrt()

    @property
    def conflict_rate(self) -> float | None:
        """The share of pairs of tasks in conflict, or None for methods on losses."""
        return None if self.gramian is None else conflict_rate(self.gramian)

    def values(self) -> dict[str, float]:
        """All of it as numbers: `weight/late`, `norm/late`, `cosine/late~delay`, `conflict_rate`, `condition`, `agreement/signs`, ..."""
        found: dict[str, float] = {}
        if self.weights is not None:
            found.update({f"weight/{task}": each for task, each in zip(self.tasks, self.weights.tolist(), strict=True)})
        if self.norms is not None and self.cosines is not None and self.conflict_rate is not None:
            found.update({f"norm/{task}": each for task, each in zip(self.tasks, self.norms.tolist(), strict=True)})
            for i, line in enumerate(self.cosines.tolist()):
                found.update({f"cosine/{self.tasks[i]}~{self.tasks[j]}": line[j] for j in range(i + 1, len(line))})
            found["conflict_rate"] = self.conflict_rate
            if self.gramian is not None and len(self.tasks) > 1:
                found["condition"] = condition(self.gramian)
        found.update({f"agreement/{name}": each for name, each in self.agreement.items()})
        return found | {f"drift/{name}": each for name, each in self.drift.items()}
