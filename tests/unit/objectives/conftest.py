"""Targets, batches and views without a network: an objective sees outputs, and that is enough."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from polygraft import objectives
from polygraft.core.batch import Batch
from polygraft.data.target import Target
from polygraft.objectives.base import Loss, Objective

TARGETS = {
    "binary": Target("t", ("t",), "category", ("no", "yes"), (30, 10), 40),
    "classes": Target("t", ("t",), "category", ("a", "b", "c", "d"), (10, 20, 10, 60), 100),
    "labels": Target("t", ("sun", "rain", "wind"), "labels", ("sun", "rain", "wind"), (10, 20, 50), 100),
    "number": Target("t", ("t",), "number", labelled=100, mean=5.0, std=3.0),
    "numbers": Target(
        "t", ("h 1", "h 2"), "numbers", labelled=100, means=(5.0, 1.0), stds=(3.0, 0.5), scales=(2.0, 4.0)
    ),
}
KINDS = {
    "binary": ("classification", "binary", {}),
    "binary, weighted": ("classification", "binary", {"class_weights": "balanced"}),
    "binary, smooth": ("classification", "binary", {"label_smoothing": 0.2}),
    "classes": ("classification", "classes", {}),
    "classes, weighted and smooth": (
        "classification",
        "classes",
        {"class_weights": [1, 2, 0.5, 1], "label_smoothing": 0.1},
    ),
    "labels": ("classification", "labels", {}),
    "labels, weighted": ("classification", "labels", {"class_weights": "balanced"}),
    "mse": ("regression", "number", {}),
    "mae": ("regression", "number", {"loss": "mae"}),
    "huber": ("regression", "number", {"loss": "huber", "delta": 0.5}),
    "horizons, mse": ("forecast", "numbers", {}),
    "horizons, mae": ("forecast", "numbers", {"loss": "mae"}),
    "horizons, quantiles": ("forecast", "numbers", {"loss": "quantile"}),
}
SIZES = {"binary": 1, "classes": 4, "labels": 3, "number": 1, "numbers": 2, "horizons, quantiles": 6}
"""Of the outputs, by kind or by target."""


def some_missing(numbers: Tensor) -> Tensor:
    """Every third row lacks its second number."""
    numbers[::3, 1] = torch.nan
    return numbers


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    """Each objective in each of its forms."""
    return request.param


@pytest.fixture
def make() -> Callable[..., Objective]:
    """The objective of a kind, or of a plugin's name with a target and settings."""

    def make(kind: str, **settings: object) -> Objective:
        name, target, own = KINDS[kind]
        return objectives.registry.make(name, own | settings, task="t", target=TARGETS[target])

    return make


@pytest.fixture
def make_rows() -> Callable[..., tuple[Tensor, Batch]]:
    """(outputs, a batch with targets, present and weights) for a kind."""

    def rows(kind: str, rows: int = 20, seed: int = 0) -> tuple[Tensor, Batch]:
        chance = torch.Generator().manual_seed(seed)
        target = TARGETS[KINDS[kind][1]]
        size = SIZES.get(kind) or SIZES[KINDS[kind][1]]
        targets = {
            "category": lambda: torch.randint(0, len(target.levels), (rows,), generator=chance),
            "labels": lambda: torch.randint(0, 2, (rows, 3), generator=chance).float(),
            "number": lambda: torch.randn(rows, generator=chance) * 3 + 5,
            "numbers": lambda: some_missing(torch.randn(rows, 2, generator=chance) * torch.tensor([3, 0.5]) + 5),
        }[target.kind]()
        present = torch.rand(rows, generator=chance) < 0.7
        weights = torch.rand(rows, generator=chance) + 0.5
        inputs = {"numbers": torch.zeros(rows, 1)}
        batch = Batch(inputs, {"t": targets}, {"t": present}, weights, torch.arange(rows))
        return torch.randn(rows, size, generator=chance), batch

    return rows


@pytest.fixture
def losses() -> Callable[[Objective, Tensor, Batch], Loss]:
    """An objective's losses of given outputs."""

    def losses(objective: Objective, outputs: Tensor, batch: Batch) -> Loss:
        view = SimpleNamespace(outputs={"t": outputs}, network=SimpleNamespace(tables={"t": "table"}))
        return objective.losses(view, {"table": batch})

    return losses
