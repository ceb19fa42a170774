"""What a mode is: where the tasks' gradients are looked at, and how the one that is followed gets to the parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from polygraft.balancing.base import Weighting
from polygraft.balancing.graphs import Tape
from polygraft.balancing.modes.finite import check_weights
from polygraft.balancing.modes.measured import Measured
from polygraft.balancing.modes.setup import Setup, Totals
from polygraft.balancing.modes.step_gradients import StepGradients

Batches = Sequence[Sequence[Tape]]
"""By batch, one tape for each of this worker's shards: the step's own batch, then the independent ones of a method that asks."""


class Mode(ABC):
    """One way to take a step. It fills `.grad` of every parameter, the same on every worker."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    @abstractmethod
    def backward(self, batches: Batches, step: int, *, measure: bool) -> Measured:
        """`batches`: as many as the balancer asks for. measure: compare this mode's Gramian with the true one."""


def rest(setup: Setup, known: Totals) -> Measured:
    """A batch without any label: nothing has a gradient, so nothing moves."""
    for parameter in (*setup.shared.parameters, *(each for mine in setup.own.values() for each in mine)):
        parameter.grad = None
    return measured(known)


def weigh(setup: Setup, known: Totals, tasks: StepGradients) -> list[float]:
    """The method's weights [K] as numbers. Raises NotFinite when they are not."""
    assert isinstance(setup.balancer, Weighting)
    weights = setup.balancer.weigh(tasks)
    assert weights.shape == tasks.index.shape, f"{len(tasks.index)} tasks, weights {tuple(weights.shape)}"
    found: list[float] = weights.tolist()
    check_weights(known, found)
    return found


def head_scales(setup: Setup, known: Totals, weights: Sequence[float]) -> list[float]:
    """[K]: what turns a head's gradient of the SUM of losses into its final one."""
    if setup.balancer.heads == "plain":
        return [1 / count for count in known.weights]
    return [weight / count for weight, count in zip(weights, known.weights, strict=True)]


def measured(
    known: Totals,
    *,
    weights: Sequence[float] | None = None,
    gramian: Tensor | None = None,
    agreement: dict[str, float] | None = None,
) -> Measured:
    """What the step saw."""
    return Measured(
        tasks=known.names,
        losses=dict(zip(known.names, known.losses, strict=True)),
        label_weights=dict(zip(known.names, known.weights, strict=True)),
        weights=None if weights is None else torch.tensor(weights, dtype=torch.float64),
        gramian=gramian,
        agreement=agreement or {},
    )
