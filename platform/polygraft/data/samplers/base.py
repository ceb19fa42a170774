"""What a sampler is: how often each training row of a table comes, decided once, when the table is prepared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import numpy as np

from polygraft.data.training_rows import TrainingRows


class Sampler(ABC):
    """The draw itself is made in `data/sampling.py`, by counted chance: an epoch is as many draws as there are training rows.

    Class facts: `takes`, `once`: each row exactly once an epoch; `by_chance`: as often as its share says. `weighs`, whether a
    row's weight still counts in the loss once it was drawn.
    """

    takes: ClassVar[Literal["once", "by_chance"]] = "by_chance"
    weighs: ClassVar[bool] = True

    @abstractmethod
    def shares(self, rows: TrainingRows) -> np.ndarray:
        """Float64 [rows], not negative, some above 0: how often each comes beside the others. Raises UserError."""
