"""StepGradients: what a method is shown of a step, computed when it asks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from polygraft.balancing.base import Blocks, TaskGradients
from polygraft.balancing.collectives import Shards
from polygraft.balancing.modes.setup import Totals
from polygraft.core.seeding import torch_generator


class StepGradients(TaskGradients):
    """The present tasks' global losses and gradients.

    gramian: gives [K, K]; rows, columns: give this worker's blocks. None where the mode has no such thing.
    """

    def __init__(
        self,
        totals: Totals,
        seed: int,
        shards: Shards,
        *,
        gramian: Callable[[], Tensor] | None = None,
        rows: Blocks | None = None,
        columns: Callable[[], Blocks] | None = None,
    ) -> None:
        self.index = torch.tensor(totals.index, dtype=torch.int64)
        self.losses = torch.tensor(totals.losses, dtype=torch.float64)
        self._step, self._seed, self._shards = totals.step, seed, shards
        self._gramian, self._rows, self._columns = gramian, rows, columns
        self._cross: Tensor | None = None

    def crossed(self, cross: Tensor | None) -> StepGradients:
        """With the inner products [K, K] of two independent batches, where the step has them."""
        self._cross = cross
        return self

    @cached_property
    def chance(self) -> torch.Generator:
        """This step's own generator."""
        return torch_generator(self._seed, self._step, "balancer")

    @cached_property
    def gramian(self) -> Tensor:
        """[K, K], float64."""
        if self._gramian is not None:
            return self._gramian()
        return self.inner(self.rows)

    @property
    def cross(self) -> Tensor:
        """[K, K], float64."""
        assert self._cross is not None, (
            "a step of one batch has nothing to cross; the class fact `batches` asks for more"
        )
        return self._cross

    @property
    def rows(self) -> Blocks:
        """[K, width] for each of this worker's blocks."""
        assert self._rows is not None, "this mode has no rows; the class facts `needs` and `modes` say what it may read"
        return self._rows

    @cached_property
    def columns(self) -> Blocks:
        """[width] for each of this worker's blocks."""
        assert self._columns is not None, "this mode has no columns"
        return self._columns()

    def inner(self, rows: Blocks) -> Tensor:
        """[K, K], float64: each block by itself, then the tree over blocks."""
        return inner(self._shards, rows)


def inner(shards: Shards, rows: Blocks) -> Tensor:
    """Float64 [K, K] on the CPU: the tree sum over blocks, one for each shard, of rows @ rows^T."""
    total = shards.sum((block @ block.T).to(torch.float64) for block in map(torch.Tensor.contiguous, rows))
    return ((total + total.T) / 2).cpu()
