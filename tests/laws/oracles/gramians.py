"""Methods on the Gramian, each on the gradients themselves."""

from __future__ import annotations

import numpy as np
import quadprog
import torch
from torch import Tensor

from oracles.plain import SEED, Seen, Weights, oracle
from polygraft.core.seeding import torch_generator


@oracle("mgda")
class MGDA(Weights):
    """A textbook quadratic programme."""

    def weigh(self, seen: Seen) -> Tensor:
        gramian, k = seen.gramian.numpy(), len(seen.tasks)
        constraints = np.concatenate([np.ones((k, 1)), np.eye(k)], 1)
        scaled = gramian / np.trace(gramian)
        return torch.from_numpy(quadprog.solve_qp(scaled, np.zeros(k), constraints, np.r_[1.0, np.zeros(k)], meq=1)[0])


@oracle("pcgrad")
class PCGrad(Weights):
    """Project the vectors themselves; which combination they are is carried along."""

    def weigh(self, seen: Seen) -> Tensor:
        rows, chance = seen.rows, torch_generator(SEED, seen.step, "balancer")
        total = torch.zeros(len(rows), dtype=torch.float64)
        for i in range(len(rows)):
            vector, mixture = rows[i].clone(), torch.eye(len(rows), dtype=torch.float64)[i]
            for j in torch.randperm(len(rows), generator=chance).tolist():
                if j != i and vector @ rows[j] < 0:
                    share = (vector @ rows[j]) / (rows[j] @ rows[j])
                    vector = vector - share * rows[j]
                    mixture[j] -= share
            total += mixture
        return total
