"""One shard's autograd graph, as whoever ran the forward pass hands it over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from polygraft.core.errors import RunFailed
from polygraft.core.features import Cut

_INPUT = "Look at the rows' values and weights, or lower the learning rate, or clip gradients."
_METHOD = (
    "Losses and gradients are: it is what the balancer makes of them. Take other settings of it, or another balancer."
)
MENDS = {"loss": _INPUT, "gradient": _INPUT, "weight": _METHOD, "combined gradient": _METHOD}
"""What a person may do about each that is not finite."""


@dataclass(frozen=True)
class Tape:
    """What one shard's forward pass left.

    losses: by task, a scalar with its graph: the LOCAL SUM of the rows' weighted losses, never divided.
    weights: by task, a scalar: the local sum of the rows' weights. A task absent from the shard has weight 0, or no entry.
    offset: the number of the shard's first row in the global batch.
    scale: what backward passes start from in place of 1, so that half precision does not lose small gradients. What is
        left in `.grad` is that many times too large; what a method sees is not.
    """

    losses: Mapping[str, Tensor]
    weights: Mapping[str, Tensor | float]
    cut: Cut | None = None
    offset: int = 0
    scale: float = 1.0


class NotFinite(RunFailed):
    """A loss, a gradient, or what the balancer makes of them is NaN or infinite. Nothing was changed: no gradient, no state.

    But for one case: state by column, where a method's weights or its combined gradient are at fault, has moved.

    step: the step. tasks: whose it is. what: `loss`, `gradient`, `weight` or `combined gradient`.
    shards: those of this worker's shards where a loss is not finite; their rows are the ones to look at. batch: which of
    the step's independent batches it is.
    """

    batch = 0

    def __init__(self, step: int, tasks: tuple[str, ...], what: str, shards: tuple[int, ...]) -> None:
        self.step, self.tasks, self.what, self.shards = step, tasks, what, shards
        names = ", ".join(f"'{task}'" for task in tasks)
        super().__init__(f"step {step}: the {what} of {names} is not finite. {MENDS[what]}")

    def __reduce__(self) -> tuple[type[NotFinite], tuple[int, tuple[str, ...], str, tuple[int, ...]], dict[str, int]]:
        return type(self), (self.step, self.tasks, self.what, self.shards), {"batch": self.batch}
