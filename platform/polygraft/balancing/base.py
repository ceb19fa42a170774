"""What a balancing method sees (TaskGradients) and what it is (a Weighting or a Surgery).

A method is mathematics: tensors in, tensors out. Where the gradients come from, on how many workers, in which of the
three modes, is the business of `gradients.py`; a method reads what it needs and never pays for what it does not read.

The one rule for exactness: columns come in BLOCKS, the same blocks for any number of workers, and whatever is not a
plain elementwise sum or product is done block by block. Kernels treat the last few elements of a tensor differently
from the others (a fused multiply-add here, another order of additions there), so equal bits need equal shapes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

Blocks = tuple[Tensor, ...]
"""This worker's columns of something, block by block: `[K, width of the block]` or `[width of the block]` each."""


class TaskGradients(ABC):
    """What one step's gradients say about the K tasks that have a label in it; lazy, GLOBAL, equal on every worker.

    An absent task (no label in the global batch) is left out: K counts the present ones, `index` says which they are.
    A gradient here is that of a task's global mean loss.
    """

    index: Tensor  # int64 [K], the present tasks' numbers among all tasks, ascending
    losses: Tensor  # float64 [K], global mean losses, detached, on the CPU

    @property
    @abstractmethod
    def chance(self) -> torch.Generator:
        """This step's own generator, the same on every worker."""

    @property
    @abstractmethod
    def gramian(self) -> Tensor:
        """Float64 [K, K] on the CPU: inner products of the tasks' gradients."""

    @property
    @abstractmethod
    def cross(self) -> Tensor:
        """Float64 [K, K] on the CPU: inner products of the tasks' gradients on one batch (lines) with those on another.

        Only for methods with `batches` above 1: of the step's last two batches, so that line and column are independent.
        A task that lacks a label in any of the step's batches is absent.
        """

    @property
    @abstractmethod
    def rows(self) -> Blocks:
        """[K, width] each: this worker's columns of the tasks' gradients. Not to be changed in place."""

    @property
    @abstractmethod
    def columns(self) -> Blocks:
        """Int64 [width] each: the GLOBAL numbers of this worker's columns; random masks are drawn by them."""

    @abstractmethod
    def inner(self, rows: Blocks) -> Tensor:
        """Float64 [K, K] on the CPU: inner products over ALL columns of all workers; each worker gives its blocks."""


class Balancer(nn.Module, ABC):
    """How the gradients of several tasks become one. State lives in buffers and loads strictly into a fresh object.

    A constructor that needs the number of tasks asks for it: `def __init__(self, tasks: int, /, lr: float = 0.01)`; for
    their names, in the order of their numbers, `names: tuple[str, ...]`.

    Class facts, read without importing:
    needs: `losses` (never pays for a Jacobian), `gramian` [K, K], or `rows` [K, columns].
    modes: where its paper allows the gradients to be taken, the preferred one first; empty for methods on losses.
    heads: `plain` - a head follows its own task's gradient; `weighted` - the weighted loss is what is differentiated.
    batches: independent batches a step draws. follows: how many of them, the first ones, the update follows: the mean of
        their gradients. The last two are compared; losses are those of the first.
    elementwise: the gradients are combined element by element; no task has a weight.
    observes: the step runs one more forward pass after the update, without gradient, and calls `observe`.
    tracked: names of buffers that hold a number for each task and column (a moving average of the gradients, say).
        They are made by `prepare`, once the columns are known, each worker holding its own columns of them; a
        checkpoint holds them whole, [tasks, columns], equal for any number of workers. `parameters` mode only.
    by_task: settings that are mappings from names of tasks; a suite's check refuses other names.
    cost: what a step costs beyond an ordinary one, in words, shown by `polygraft list`.
    """

    needs: ClassVar[Literal["losses", "gramian", "rows"]]
    modes: ClassVar[tuple[str, ...]] = ()
    heads: ClassVar[Literal["plain", "weighted"]] = "plain"
    batches: ClassVar[int] = 1
    follows: ClassVar[int] = 1
    elementwise: ClassVar[bool] = False
    observes: ClassVar[bool] = False
    tracked: ClassVar[tuple[str, ...]] = ()
    by_task: ClassVar[tuple[str, ...]] = ()
    cost: ClassVar[str] = "one step"

    def observe(self, losses: Tensor, index: Tensor) -> None:
        """See the mean losses float64 [K] of tasks `index` on the same batch AFTER the update."""

    def prepare(self, tasks: int, widths: Sequence[int], like: Tensor) -> None:
        """Make the tracked buffers, zero, for this worker's blocks of columns; called once, before the first step."""
        self.shape = (tasks, tuple(widths))
        for name in self.tracked:
            self.register_buffer(name, like.new_zeros(tasks * sum(widths)))

    def blocks(self, name: str) -> Blocks:
        """The tracked buffer as [tasks, width] views, contiguous, one for each block."""
        tasks, widths = self.shape
        parts = torch.split(self.get_buffer(name), [tasks * width for width in widths])
        return tuple(part.view(tasks, width) for part, width in zip(parts, widths, strict=True))


class Weighting(Balancer):
    """A method that gives each task a weight; the update is the weighted sum of the gradients."""

    @abstractmethod
    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K] of the present tasks, detached, on the CPU."""


class Surgery(Balancer):
    """A method that combines the gradients element by element, or replaces them."""

    needs = "rows"
    elementwise = True

    @abstractmethod
    def combine(self, tasks: TaskGradients) -> Blocks:
        """[width] each: this worker's columns of the one gradient that is followed."""

    def head_weights(self, tasks: TaskGradients) -> Tensor:
        """[K]: what each task's own head is scaled by where `heads` is weighted."""
        return torch.ones(len(tasks.index), dtype=torch.float64)
