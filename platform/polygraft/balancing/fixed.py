"""Standard static weights, the linear scalarisation of Boyd and Vandenberghe 2004 (https://web.stanford.edu/~boyd/cvxbook), section 4.7.4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.core.catalogue import Range
from polygraft.core.errors import fault, nearest


class Fixed(Weighting):
    """Each task counts what the suite says, from the first step to the last: sum_k w_k L_k is differentiated.

    weights: by task; who is not named counts 1. Shares are not made of them: twice the weights are twice the gradient.
    """

    needs = "losses"
    heads = "weighted"
    by_task = ("weights",)

    def __init__(
        self, names: tuple[str, ...], /, weights: Mapping[str, Annotated[float, Range(min=0)]] | None = None
    ) -> None:
        super().__init__()
        given = weights or {}
        for task in given:
            if task not in names:
                raise fault(f"weights: there is no task '{task}'.{nearest(task, names)} tasks has {', '.join(names)}.")
        self.fixed = torch.tensor([given.get(name, 1.0) for name in names], dtype=torch.float64)

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """[K]."""
        return self.fixed[tasks.index]
