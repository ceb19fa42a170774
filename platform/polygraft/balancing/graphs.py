"""One shard's autograd graph, as whoever ran the forward pass hands it over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from polygraft.core.errors import RunFailed
from polygraft.core.features import Cut


@dataclass(frozen=True)
class Tape:
    """What one shard's forward pass left.

    losses: by task, a scalar with its graph: the LOCAL SUM of the rows' weighted losses, never divided.
    weights: by task, a scalar: the local sum of the rows' weights. A task absent from the shard has weight 0, or no entry.
    offset: the number of the shard's first row in the global batch.
    """

    losses: Mapping[str, Tensor]
    weights: Mapping[str, Tensor | float]
    cut: Cut | None = None
    offset: int = 0


class NotFinite(RunFailed):
    """A loss, or a gradient, is NaN or infinite. Nothing was changed: no gradient, no state of the balancer.

    step: the step. tasks: whose it is. what: `loss` or `gradient`.
    shards: those of this worker's shards where a loss is not finite; their rows are the ones to look at.
    """

    def __init__(self, step: int, tasks: tuple[str, ...], what: str, shards: tuple[int, ...]) -> None:
        self.step, self.tasks, self.what, self.shards = step, tasks, what, shards
        names = ", ".join(f"'{task}'" for task in tasks)
        super().__init__(
            f"step {step}: the {what} of {names} is not finite. "
            "Look at the rows' values and weights, or lower the learning rate, or clip gradients."
        )

    def __reduce__(self) -> tuple[type[NotFinite], tuple[int, tuple[str, ...], str, tuple[int, ...]]]:
        return type(self), (self.step, self.tasks, self.what, self.shards)
