"""What an encoder is whose column becomes an input of its own: tokens, a series, an image."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import pyarrow as pa

from polygraft.data.encoders.base import Encoder
from polygraft.data.plans import InputPlan
from polygraft.data.ragged import Encoded


class InputEncoder(Encoder):
    """No cleaning step changes such a column: its encoder says what becomes of a missing value.

    May ask for `folder: Path`, the suite's, where files that its settings name lie; None once it is fitted, so that all it
    needs then must be in the plan's state.
    """

    gives = "input"

    @abstractmethod
    def fit(self, name: str, column: pa.ChunkedArray, chosen: np.ndarray) -> InputPlan:
        """The plan of a conformed column, by its chosen rows (bool [rows], the training ones). Raises UnfitError."""

    @abstractmethod
    def apply(self, plan: InputPlan, column: pa.ChunkedArray) -> tuple[Encoded, int]:
        """Any rows of a conformed column, encoded, and how many hold something that training did not know.

        An array [rows, *shape] where all rows are alike, Ragged where they differ in length, Images. Raises UnfitError.
        """

    def kept(self, plan: InputPlan, array: Encoded) -> Encoded:
        """What `apply` gave, again, from what of it lies in the cache: its array, or Ragged."""
        return array

    def words(self, plan: InputPlan) -> list[str]:
        """Of tokens what each code stands for, in their order; empty for all else."""
        return []
