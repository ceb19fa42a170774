"""Methods on the Gramian, each on the gradients themselves."""

from __future__ import annotations

import numpy as np
import quadprog
import torch
from scipy.optimize import brentq, root
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize
from torchjd.aggregation import PCGradWeighting

from oracles.losses import Learned
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


@oracle("gradvac")
class GradVac(Weights):
    """Turn the vectors themselves; which combination they are is carried along."""

    def __init__(self) -> None:
        self.usual: dict[tuple[str, str], float] = {}

    def weigh(self, seen: Seen) -> Tensor:
        rows, chance, names = seen.rows, torch_generator(SEED, seen.step, "balancer"), seen.tasks
        total = torch.zeros(len(rows), dtype=torch.float64)
        for i in range(len(rows)):
            vector, mixture = rows[i].clone(), torch.eye(len(rows), dtype=torch.float64)[i]
            for j in torch.randperm(len(rows), generator=chance).tolist():
                if j == i:
                    continue
                phi = float(cosine_similarity(vector, rows[j], dim=0))
                goal = self.usual.get((names[i], names[j]), 0.0)
                if phi < goal:
                    angle, wanted = np.arccos(phi), np.arccos(goal)  # the law of sines in the triangle they span
                    share = float(vector.norm() / rows[j].norm() * np.sin(angle - wanted) / np.sin(wanted))
                    vector = vector + share * rows[j]
                    mixture[j] += share
                self.usual[names[i], names[j]] = 0.99 * goal + 0.01 * phi
            total += mixture
        return total


@oracle("cagrad")
class CAGrad(Weights):
    """The dual as a family of quadratic programmes: |g_w| is guessed, the guess corrected by bisection."""

    def weigh(self, seen: Seen) -> Tensor:
        rows = seen.rows.numpy()
        count, mean = len(rows), rows.mean(0)
        size = np.linalg.norm(rows)
        rows, mean = rows / size, mean / size
        radius = 0.4 * np.linalg.norm(mean)

        def best(length: float) -> np.ndarray:
            constraints = np.concatenate([np.ones((count, 1)), np.eye(count)], 1)
            square = radius / length * rows @ rows.T
            return quadprog.solve_qp(square, -rows @ mean, constraints, np.r_[1.0, np.zeros(count)], meq=1)[0]

        length = brentq(lambda t: np.linalg.norm(best(t) @ rows) - t, 1e-6, 1.0, xtol=1e-15)
        return torch.from_numpy(1 / count + radius / length * best(length))


def closed_form(rows: Tensor) -> Tensor:
    """IMTL-G as the paper prints it: differences to the first gradient and to the first unit gradient."""
    units = rows / rows.norm(dim=1, keepdim=True)
    differences, turns = rows[:1] - rows[1:], units[:1] - units[1:]
    rest = rows[0] @ turns.T @ torch.linalg.inv(differences @ turns.T)
    return torch.cat([1 - rest.sum().unsqueeze(0), rest])


@oracle("imtl_g")
class IMTLG(Weights):
    def weigh(self, seen: Seen) -> Tensor:
        return closed_form(seen.rows)


@oracle("imtl")
class IMTL(Learned):
    """Differentiate sum_k exp(s) L - s itself, as LibMTL does."""

    def __init__(self) -> None:
        super().__init__(lr=0.01)

    def weigh(self, seen: Seen) -> Tensor:
        s = torch.stack(self.numbers(seen.tasks))
        scales = s.detach().exp()
        (s.exp() * seen.losses - s).sum().backward()
        self.step(seen.tasks)
        return scales * closed_form(scales[:, None] * seen.rows)


@oracle("nash_mtl")
class NashMTL(Weights):
    """Each weight in turn as the root of its quadratic, over and over; then the authors' scale and their clipping."""

    weighted = True

    def weigh(self, seen: Seen) -> Tensor:
        gramian = (seen.gramian / seen.gramian.norm()).numpy()
        weights = np.ones(len(gramian))
        for _ in range(5000):
            for k, row in enumerate(gramian):
                others = row @ weights - row[k] * weights[k]
                weights[k] = 2 / (others + np.sqrt(others**2 + 4 * row[k]))
        found = torch.from_numpy(weights)
        return found / (found @ seen.rows).norm().clamp(min=1)


@oracle("fairgrad")
class FairGrad(Weights):
    """A root of the equation itself, in logarithms, by MINPACK."""

    def weigh(self, seen: Seen) -> Tensor:
        rows = seen.rows.numpy()
        lengths = np.linalg.norm(rows, axis=1)
        units = rows / lengths[:, None]
        found = root(lambda x: units @ (np.exp(x) @ units) - np.exp(-x), np.zeros(len(rows)), tol=1e-14)
        return torch.from_numpy(np.exp(found.x) / lengths)


@oracle("aligned_mtl")
class AlignedMTL(Weights):
    """Replace the gradients' singular values by the least of them; then which combination their mean is."""

    def weigh(self, seen: Seen) -> Tensor:
        left, values, right = torch.linalg.svd(seen.rows, full_matrices=False)
        aligned = values.min() * left @ right
        return combination(seen.rows, aligned.mean(0))


def combination(rows: Tensor, vector: Tensor) -> Tensor:
    """[K]: the vector in terms of the rows."""
    return torch.linalg.lstsq(rows.T, vector[:, None], driver="gelsd").solution[:, 0]


def multipliers(rows: Tensor, vector: Tensor) -> Tensor:
    """[K]: what is to be added of each row to make the vector conflict with none; the row space is turned to K axes."""
    scale = rows.norm(dim=1, keepdim=True)
    axes = torch.linalg.qr(rows.T).Q
    inner = ((rows / scale) @ axes).numpy()
    found = quadprog.solve_qp(np.eye(len(inner)), (vector @ axes).numpy(), inner.T, np.zeros(len(inner)))
    return torch.from_numpy(found[4]) / scale[:, 0]


@oracle("upgrad")
class UPGrad(Weights):
    """Project each row by a quadratic programme in the primal; a weight is a multiplier."""

    def weigh(self, seen: Seen) -> Tensor:
        return (1 + sum(multipliers(seen.rows, row) for row in seen.rows)) / len(seen.rows)


@oracle("dualproj")
class DualProj(Weights):
    def weigh(self, seen: Seen) -> Tensor:
        return 1 / len(seen.rows) + multipliers(seen.rows, seen.rows.mean(0))


@oracle("config")
class ConFIG(Weights):
    """As the authors: the pseudo-inverse of the unit gradients, stretched; then which combination it is."""

    def weigh(self, seen: Seen) -> Tensor:
        direction = torch.linalg.pinv(normalize(seen.rows, dim=1)).sum(1)
        direction = direction / direction.norm()
        return combination(seen.rows, (seen.rows @ direction).sum() * direction)


@oracle("gradnorm")
class GradNorm(Learned):
    """Differentiate L_grad itself by z, w = K softmax(z)."""

    weighted = True

    def __init__(self) -> None:
        super().__init__(lr=0.025)
        self.first: dict[str, Tensor] = {}

    def weigh(self, seen: Seen) -> Tensor:
        for task, loss in zip(seen.tasks, seen.losses, strict=True):
            self.first.setdefault(task, loss)
        left = seen.losses / torch.stack([self.first[task] for task in seen.tasks])
        weights = len(left) * torch.stack(self.numbers(seen.tasks)).softmax(0)
        norms = (weights[:, None] * seen.rows).norm(dim=1)
        (norms - (norms.mean() * (left / left.mean()) ** 1.5).detach()).abs().sum().backward()
        self.step(seen.tasks)
        return weights.detach()


@oracle("torchjd")
class TorchJD(Weights):
    """The package itself, its generator where the step's chance points it."""

    def weigh(self, seen: Seen) -> Tensor:
        chance = torch_generator(SEED, seen.step, "balancer")
        torch.manual_seed(int(torch.randint(2**62, (), generator=chance)))
        return PCGradWeighting()(seen.gramian)
