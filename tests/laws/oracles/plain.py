"""What an oracle is: a balancing method by its own words, on whole matrices, in float64, in one process.

A file of this folder holds a family; `@oracle("name")` is the oracle of that balancer, made once a run with its state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

SEED = 7


@dataclass(frozen=True)
class Seen:
    """One step, the present tasks only: those with a label in every batch of the step.

    losses: global means [K]. rows: what the mode looks at [K, columns], empty [K, 0] for methods on losses. columns: their
    global numbers [columns]. cross: [K, K], of the last two of several independent batches; else empty.
    """

    tasks: tuple[str, ...]
    losses: Tensor
    rows: Tensor
    columns: Tensor
    step: int
    cross: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.float64))

    @property
    def gramian(self) -> Tensor:
        return self.rows @ self.rows.T


class Oracle:
    """weighted: whether a head follows its weighted loss (see the balancer's `heads`)."""

    weighted: ClassVar[bool] = False

    def observe(self, losses: Mapping[str, Tensor]) -> None:
        """See the mean losses after the update, by task."""


class Weights(Oracle, ABC):
    @abstractmethod
    def weigh(self, seen: Seen) -> Tensor:
        """[K]."""


class Direction(Oracle, ABC):
    @abstractmethod
    def combine(self, seen: Seen) -> Tensor:
        """[columns]."""

    def heads(self, seen: Seen) -> Tensor:
        """[K]: what each head's gradient is scaled by."""
        return torch.ones(len(seen.tasks), dtype=torch.float64)


ORACLES: dict[str, type[Oracle]] = {}
Made = TypeVar("Made", bound=type[Oracle])


def oracle(name: str) -> Callable[[Made], Made]:
    """The class below is the oracle of the balancer `name`."""

    def register(made: Made) -> Made:
        assert name not in ORACLES, name
        ORACLES[name] = made
        return made

    return register
