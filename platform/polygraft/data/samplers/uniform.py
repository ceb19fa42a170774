"""Standard sampling without replacement, a fresh permutation each epoch (Bottou 2009, "Curiously fast convergence of some stochastic gradient descent algorithms")."""

from __future__ import annotations

import numpy as np

from polygraft.data.samplers.base import Sampler
from polygraft.data.training_rows import TrainingRows


class Uniform(Sampler):
    """Every training row exactly once an epoch; its weight counts in the loss."""

    takes = "once"
    weighs = True

    def shares(self, rows: TrainingRows) -> np.ndarray:
        return np.ones(len(rows))
