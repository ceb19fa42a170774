"""Sampling by weight, the loss unweighted (Zhao and Zhang 2015, http://proceedings.mlr.press/v37/zhaoa15.html, equation 7)."""

from __future__ import annotations

import numpy as np

from polygraft.data.samplers.base import Sampler
from polygraft.data.training_rows import TrainingRows


class Weighted(Sampler):
    """A training row comes in proportion to its weight, and then counts once: the expected gradient is that of weighted losses.

    With few heavy rows that is steadier than to multiply their losses; a row of weight 0 never comes. Weights are the suite's
    `weight:` column, times what the row steps of `clean:` made of it (`reweigh`, `label_noise`).
    """

    takes = "by_chance"
    weighs = False

    def shares(self, rows: TrainingRows) -> np.ndarray:
        return rows.weights.astype(np.float64)
