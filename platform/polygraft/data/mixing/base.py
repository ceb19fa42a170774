"""What a mixture is: the rule by which a step takes some of the tables and leaves the others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from torch import Tensor


class Mixture(ABC):
    """A rule without history: a pure function of the step. The draw itself is made in `data/turns.py`, by counted chance.

    A constructor asks for what it needs of `tables: tuple[str, ...]`, `rows: tuple[int, ...]` (their training rows),
    `tasks: tuple[tuple[str, ...], ...]` (those of each table) and `steps: int` (of the whole run).

    Class facts, read without importing:
    takes: `one` table a step, drawn by its share, or `all` of them.
    by_table: settings that are mappings from names of tables; a suite's check refuses other names, and a table left out.
    """

    takes: ClassVar[Literal["one", "all"]] = "one"
    by_table: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def shares(self, steps: range) -> np.ndarray:
        """Float64 [steps, tables], each row of sum 1: the chance with which a step takes each table."""


class Remembering(Mixture):
    """A rule with history: `shares` are those of the next step, and nothing is drawn ahead of what was observed."""

    @abstractmethod
    def observe(self, losses: Mapping[str, float]) -> None:
        """Hear the step's losses by task; the tasks of tables that were not taken are not among them."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """The history."""

    @abstractmethod
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a saved history; strict."""


def constant(shares: np.ndarray, steps: range) -> np.ndarray:
    """[steps, tables]: the same shares [tables] at every step, brought to a sum of 1."""
    return np.broadcast_to(shares / shares.sum(), (len(steps), len(shares)))
