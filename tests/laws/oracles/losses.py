"""Methods that look at losses alone, each by torch's own autograd and Adam."""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from oracles.plain import SEED, Seen, Weights, oracle
from polygraft.core.seeding import torch_generator


@oracle("equal")
class Equal(Weights):
    def weigh(self, seen: Seen) -> Tensor:
        return torch.ones(len(seen.tasks), dtype=torch.float64)


@oracle("fixed")
class Fixed(Weights):
    weighted = True

    def weigh(self, seen: Seen) -> Tensor:
        said = {"price": 2.0, "kind": 1.0, "sold": 0.25}
        return torch.tensor([said[task] for task in seen.tasks], dtype=torch.float64)


class Objective(Weights):
    """What autograd makes of the objective itself."""

    weighted = True

    def weigh(self, seen: Seen) -> Tensor:
        losses = seen.losses.clone().requires_grad_()
        self.objective(losses, seen.tasks).backward()
        assert losses.grad is not None
        return losses.grad

    @abstractmethod
    def objective(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        """A number, by the losses [K]."""


@oracle("scale_invariant")
class ScaleInvariant(Objective):
    def objective(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        return losses.log().sum()


@oracle("geometric_mean")
class GeometricMean(Objective):
    """As it is written: the root of the product."""

    def objective(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        return losses.prod() ** (1 / len(losses))


@oracle("stch")
class STCH(Objective):
    """The authors' sum of exponentials, unshifted, beside sum log L of the tasks that warm up (1 step) or measure (2)."""

    mu, warmup, window = 0.5, 1, 2

    def __init__(self) -> None:
        self.met: dict[str, list[float]] = {}

    def objective(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        warming, through = [], []
        for task, loss in zip(tasks, losses, strict=True):
            past = self.met.setdefault(task, [])
            if len(past) >= self.warmup + self.window:
                nadir = sum(past[self.warmup : self.warmup + self.window]) / self.window
                through.append((loss / nadir) ** (1 / self.mu))
            else:
                warming.append(loss.log())
            past.append(loss.item())
        smooth = [self.mu * len(through) * torch.stack(through).sum().log()] if through else []
        return torch.stack(warming + smooth).sum()


@oracle("dwa")
class DWA(Weights):
    """Losses are kept, all of them, and cut into windows of two steps when they are wanted."""

    weighted = True

    def __init__(self) -> None:
        self.past: list[dict[str, float]] = []

    def weigh(self, seen: Seen) -> Tensor:
        ratios = []
        for task in seen.tasks:
            windows = [self.past[i : i + 2] for i in range(0, len(self.past) - 1, 2)]
            labelled = [[step[task] for step in window if task in step] for window in windows]
            means = [sum(window) / len(window) for window in labelled if window]
            ratios.append(means[-1] / means[-2] if len(means) > 1 else 1.0)
        self.past.append(dict(zip(seen.tasks, seen.losses.tolist(), strict=True)))
        powers = [math.exp(ratio / 2.0) for ratio in ratios]
        return torch.tensor([len(powers) * each / sum(powers) for each in powers], dtype=torch.float64)


@oracle("rlw")
class RLW(Weights):
    weighted = True

    def weigh(self, seen: Seen) -> Tensor:
        drawn = torch.randn(
            len(seen.tasks), generator=torch_generator(SEED, seen.step, "balancer"), dtype=torch.float64
        )
        return drawn.exp() / drawn.exp().sum()


@oracle("go4align")
class GO4Align(Weights):
    """Shares are multiplied step by step, as in the paper, and every way to cluster is tried."""

    weighted = True

    def __init__(self) -> None:
        self.left: dict[str, float] = {}

    def weigh(self, seen: Seen) -> Tensor:
        losses = dict(zip(seen.tasks, seen.losses.tolist(), strict=True))
        for task, loss in losses.items():
            self.left[task] = self.left.get(task, 1.0) * math.exp(-1e-4 * loss)
        left = sum(self.left[task] for task in losses)
        indicators = [self.left[task] / left * sum(losses.values()) / loss for task, loss in losses.items()]
        return torch.tensor(two_means(indicators), dtype=torch.float64)


def two_means(values: list[float]) -> list[float]:
    """Of the best of all ways to make two clusters (or one) of the values, each value's cluster's mean."""

    def apart(choice: tuple[int, ...]) -> tuple[float, list[float]]:
        clusters = [[v for v, c in zip(values, choice, strict=True) if c == mine] for mine in (0, 1)]
        means = [sum(each) / len(each) if each else 0.0 for each in clusters]
        spread = sum((v - means[c]) ** 2 for v, c in zip(values, choice, strict=True))
        return spread, [means[c] for c in choice]

    return min(map(apart, itertools.product((0, 1), repeat=len(values))))[1]


class Learned(Weights):
    """One number a task, stepped by torch's Adam; made when the task is first seen, for an absent task has no gradient."""

    def __init__(self, lr: float, decay: float = 0.0) -> None:
        self.settings, self.value, self.adam = {"lr": lr, "weight_decay": decay}, {}, {}

    def numbers(self, seen_tasks: tuple[str, ...]) -> list[Tensor]:
        for task in seen_tasks:
            if task not in self.value:
                self.value[task] = torch.zeros((), dtype=torch.float64, requires_grad=True)
                self.adam[task] = torch.optim.Adam([self.value[task]], **self.settings)
        return [self.value[task] for task in seen_tasks]

    def step(self, tasks: tuple[str, ...]) -> None:
        for task in tasks:
            self.adam[task].step()
            self.adam[task].zero_grad()


@oracle("uncertainty")
class Uncertainty(Learned):
    """Differentiate sum_k exp(-s) L / 2 + s / 2 itself."""

    weighted = True

    def __init__(self) -> None:
        super().__init__(lr=0.01)

    def weigh(self, seen: Seen) -> Tensor:
        s = torch.stack(self.numbers(seen.tasks))
        (torch.exp(-s) * seen.losses / 2 + s / 2).sum().backward()
        self.step(seen.tasks)
        return torch.exp(-s.detach()) / 2


@oracle("imtl_l")
class IMTLL(Learned):
    """Differentiate sum_k exp(s) L - s itself."""

    weighted = True

    def __init__(self) -> None:
        super().__init__(lr=0.01)

    def weigh(self, seen: Seen) -> Tensor:
        s = torch.stack(self.numbers(seen.tasks))
        (torch.exp(s) * seen.losses - s).sum().backward()
        self.step(seen.tasks)
        return torch.exp(s.detach())


@oracle("famo")
class FAMO(Learned):
    """By autograd, as in the authors' code."""

    weighted = True

    def __init__(self) -> None:
        super().__init__(lr=0.025, decay=1e-3)

    def weigh(self, seen: Seen) -> Tensor:
        z = torch.stack(self.numbers(seen.tasks)).softmax(0).detach()
        self.before = dict(zip(seen.tasks, seen.losses, strict=True))
        return z / (seen.losses + 1e-8) / (z / (seen.losses + 1e-8)).sum()

    def observe(self, losses: Mapping[str, Tensor]) -> None:
        fell = torch.stack([(self.before[task] + 1e-8).log() - (loss + 1e-8).log() for task, loss in losses.items()])
        torch.stack(self.numbers(tuple(losses))).softmax(0).backward(fell)
        self.step(tuple(losses))
