"""Small learners of objectives without labels, and the digits that their oracles are told of: scikit-learn's, over 16."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from polygraft import objectives
from polygraft.core.batch import Batch, Inputs
from polygraft.core.features import Features, Offer
from polygraft.models import heads, sharing, stems
from polygraft.models.base import Trunk
from polygraft.models.network import Network
from polygraft.training.learner import Learner


@cache
def digits() -> Tensor:
    """Float64 [1797, 64], from 0 to 1."""
    return torch.from_numpy(load_digits().data / 16)


@cache
def few_digits() -> Tensor:
    """Float64 [128, 64]: rows with the digits' mean and covariance, so with their principal components."""
    rows = digits()
    values, vectors = torch.linalg.eigh(torch.cov(rows.T, correction=0))
    axes = (values.clamp(min=0) * 64).sqrt().unsqueeze(1) * vectors.T
    return rows.mean(0) + torch.cat([axes, -axes])


class Straight(Trunk):
    """Gives what it is given, so that what stands on it is linear in the row."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList([nn.Identity()])
        self.offers = (Offer("vector", width),)

    def last_layer(self) -> None:
        return None


class Bent(Trunk):
    """One layer with a bend, that learns."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList([Layer(width)])
        self.offers = (Offer("vector", 9),)

    def last_layer(self) -> nn.Module:
        found: nn.Module = self.stages[0].linear  # type: ignore[assignment]
        return found


class Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 9)

    def forward(self, features: Features) -> Features:
        return Features(vector=torch.tanh(self.linear(features.vector)))


def learner(name: str, inputs: Inputs, trunk: type[Trunk] = Straight, **settings: Any) -> Learner:
    """One task `t` of table `rows`, on dense heads; the same weights each time. head: the head's settings."""
    torch.manual_seed(0)
    head = settings.pop("head", {})
    objective = objectives.registry.make(name, settings, task="t", inputs=inputs)
    stem = stems.registry.make("image" if inputs.others else "columns", inputs=inputs)
    shared = sharing.registry.make("hard", {}, make_trunk=lambda: trunk(stem.offer.width), tasks=("t",))
    offer = objective.stand_on(shared.offer)
    end = heads.registry.make("dense", head, offer=offer, size=objective.outputs)
    return Learner(Network({"rows": stem}, shared, {"t": end}, {"t": "rows"}), {"t": objective})


def batch(**inputs: Tensor) -> Batch:
    """All rows weigh 1."""
    rows = len(next(iter(inputs.values())))
    named = {name.replace("__", "/"): each for name, each in inputs.items()}
    return Batch(named, weights=torch.ones(rows), rows=torch.arange(rows))


def loss(learns: Learner, rows: Batch, player: str = "main", chance: int = 0) -> Tensor:
    """The task's mean loss on these rows, with its graph."""
    torch.manual_seed(chance)
    found = learns.objective("t").losses(learns.network.view({"rows": rows}), {"rows": rows}, player)
    return found.total / found.weight


def settled(learns: Learner, rows: Batch, steps: int = 400) -> float:
    """The loss once L-BFGS has come to an end on all rows at once; in the precision of the learner."""
    often = {"max_iter": steps, "history_size": 20, "tolerance_grad": 1e-9, "tolerance_change": 1e-13}
    moves = torch.optim.LBFGS(learns.parameters(), line_search_fn="strong_wolfe", **often)

    def closure() -> Tensor:
        moves.zero_grad()
        found = loss(learns, rows)
        found.backward()
        return found

    moves.step(closure)
    return loss(learns, rows).item()


def answers(learns: Learner, rows: Batch) -> Tensor:
    """What the objective answers of these rows, in evaluation."""
    torch.manual_seed(0)
    with torch.no_grad():
        return learns.eval().objective("t").answers(learns.network.view({"rows": rows}))


def scores(learns: Learner, rows: Batch) -> dict[str, float]:
    """The metrics of these rows."""
    return learns.objective("t").scores(answers(learns, rows), *rows.asked("t"), rows.weights)
