"""Multiple-gradient descent, Desideri 2012; Sener and Koltun 2018 (https://arxiv.org/abs/1810.04650), equation 4, algorithm 2."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.balancing.solvers import min_norm


class MGDA(Weighting):
    """The shortest vector in the convex hull of the task gradients: no task is ever traded for another.

    In mode `features` this is the paper's MGDA-UB, an upper bound. The authors' code finds the vector by Frank-Wolfe;
    here it is exact.

    normalize: what each gradient is divided by beforehand: its length, its loss, or both.
    """

    needs = "gramian"
    modes = ("last_layer", "features", "parameters")
    cost = "a K x K solve; in parameters mode K backwards"

    def __init__(self, normalize: Literal["none", "l2", "loss", "loss+"] = "none") -> None:
        super().__init__()
        self.normalize = normalize

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K] of the gradients as they are; they sum to 1 without normalize."""
        divisors = self._divisors(tasks)
        gramian = tasks.gramian / divisors / divisors[:, None]
        return torch.from_numpy(min_norm(gramian.numpy())) / divisors

    def _divisors(self, tasks: TaskGradients) -> Tensor:
        divisors = torch.ones_like(tasks.losses)
        if self.normalize in ("l2", "loss+"):
            divisors = divisors * tasks.gramian.diagonal().clamp(min=0).sqrt()
        if self.normalize in ("loss", "loss+"):
            divisors = divisors * tasks.losses
        return torch.where(divisors > 0, divisors, torch.ones_like(divisors))
