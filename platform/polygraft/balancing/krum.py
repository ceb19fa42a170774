"""Krum and Multi-Krum, Blanchard et al. 2017 (https://arxiv.org/abs/1703.02757), section 4."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.core.catalogue import Range


class Krum(Weighting):
    """Follow the mean of the gradients that have the nearest neighbours, and none of the others.

    A task's score is the sum of SQUARED distances to its K - byzantine - 2 nearest fellows, one at least; distances need
    the Gramian alone. The lowest scores are selected; of equal ones the task that comes first, so that of three tasks'
    nearest two it is the first (their scores are one distance).

    byzantine: tasks that may be led astray, f in the paper, which wants 2 f + 2 < K. selected: m of Multi-Krum.
    """

    needs = "gramian"
    modes = ("last_layer", "parameters")
    cost = "a sort of K x K distances; in parameters mode K backwards"

    def __init__(self, byzantine: Annotated[int, Range(min=0)] = 0, selected: Annotated[int, Range(min=1)] = 1) -> None:
        super().__init__()
        self.byzantine, self.selected = byzantine, selected

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """1 / m for the m selected tasks, 0 for the others [K]."""
        squares, k = tasks.gramian.diagonal(), len(tasks.gramian)
        apart = (squares + squares[:, None] - 2 * tasks.gramian).clamp(min=0)
        fellows = apart[~torch.eye(k, dtype=torch.bool)].view(k, k - 1).sort(1).values
        scores = fellows[:, : max(k - self.byzantine - 2, 1)].sum(1)
        chosen = scores.argsort(stable=True)[: self.selected]
        weights = torch.zeros_like(squares)
        weights[chosen] = 1 / len(chosen)
        return weights
