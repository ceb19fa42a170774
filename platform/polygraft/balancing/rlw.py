"""Random loss weighting, Lin et al. 2022 (https://arxiv.org/abs/2111.10603), algorithm 2."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting


class RLW(Weighting):
    """Weigh the losses at random, anew at each step, with weights that sum to 1: the baseline to beat.

    distribution: `normal` and `uniform` draws are made weights by a softmax; `dirichlet` is even over the simplex;
    `bernoulli` tosses a coin for each task and shares among those that won, tossing again when none did; `one_of` takes
    a single task, the paper's constrained Bernoulli.
    """

    needs = "losses"
    heads = "weighted"

    def __init__(
        self, distribution: Literal["normal", "uniform", "dirichlet", "bernoulli", "one_of"] = "normal"
    ) -> None:
        super().__init__()
        self.distribution = distribution

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """[K]."""
        drawn, chance = torch.empty_like(tasks.losses), tasks.chance
        match self.distribution:
            case "normal":
                return drawn.normal_(generator=chance).softmax(0)
            case "uniform":
                return drawn.uniform_(generator=chance).softmax(0)
            case "dirichlet":
                drawn.exponential_(generator=chance)
            case "bernoulli":
                while not drawn.bernoulli_(0.5, generator=chance).any():
                    pass
            case _:
                drawn.zero_()[torch.randint(len(drawn), (), generator=chance)] = 1
        return drawn / drawn.sum()
