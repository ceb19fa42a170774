"""Families of task gradients [K, columns] on which laws are tried, and what a method makes of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from polygraft.balancing import registry
from polygraft.balancing.collectives import Shards
from polygraft.balancing.modes.setup import Totals
from polygraft.balancing.modes.step_gradients import StepGradients
from polygraft.core.catalogue import catalogue
from required_settings import REQUIRED

SIZES = (1, 2, 3, 10, 64)
Rows = np.ndarray
Chance = np.random.Generator


def random(tasks: int, chance: Chance) -> Rows:
    return chance.normal(size=(tasks, 2 * tasks + 3))


def uneven(tasks: int, chance: Chance) -> Rows:
    return random(tasks, chance) * chance.lognormal(0, 1.5, (tasks, 1))


def low_rank(tasks: int, chance: Chance) -> Rows:
    rank = max(1, tasks // 2)
    return chance.normal(size=(tasks, rank)) @ chance.normal(size=(rank, 2 * tasks + 3))


def duplicated(tasks: int, chance: Chance) -> Rows:
    return np.repeat(random(-(-tasks // 2), chance), 2, axis=0)[:tasks]


def opposed(tasks: int, chance: Chance) -> Rows:
    rows = duplicated(tasks, chance)
    rows[1::2] *= -1
    return rows


def zero(tasks: int, _: Chance) -> Rows:
    return np.zeros((tasks, 5))


def one_zero(tasks: int, chance: Chance) -> Rows:
    rows = random(tasks, chance)
    rows[0] = 0
    return rows


def strong(tasks: int, chance: Chance) -> Rows:
    """Strongly stationary: some combination with positive weights is zero."""
    rows, weights = random(tasks, chance), chance.uniform(0.5, 2, tasks)
    rows[-1] = -(weights[:-1] @ rows[:-1]) / weights[-1]
    return rows


def weak(tasks: int, chance: Chance) -> Rows:
    """Stationary in the tasks but one, which could still gain: no combination with all weights positive is zero."""
    rows = random(tasks, chance)
    rows[:-1] = (
        strong(tasks - 1, chance) @ chance.normal(size=(2 * tasks + 1, 2 * tasks + 3)) if tasks > 1 else rows[:-1]
    )
    return rows


def agreeing(tasks: int, chance: Chance) -> Rows:
    return np.abs(random(tasks, chance))


def tiny(tasks: int, chance: Chance) -> Rows:
    return 1e-6 * random(tasks, chance)


def huge(tasks: int, chance: Chance) -> Rows:
    return 1e6 * random(tasks, chance)


def one_long(tasks: int, chance: Chance) -> Rows:
    rows = random(tasks, chance)
    rows[-1] *= 1e6
    return rows


ALL: tuple[Callable[[int, Chance], Rows], ...] = (
    random,
    uneven,
    low_rank,
    duplicated,
    opposed,
    zero,
    one_zero,
    strong,
    weak,
    agreeing,
    tiny,
    huge,
    one_long,
)
REGULAR = (random, uneven, agreeing)
"""Independent gradients of about one size."""

VARIANTS = {name: (name, REQUIRED.get(name, {})) for name in catalogue("balancing").names(needs="gramian")} | {
    "mgda l2": ("mgda", {"normalize": "l2"}),
    "cagrad 1": ("cagrad", {"c": 1.0}),
    "nash_mtl unclipped": ("nash_mtl", {"max_norm": 0.0}),
    "aligned_mtl median": ("aligned_mtl", {"scale_mode": "median"}),
    "aligned_mtl rmse": ("aligned_mtl", {"scale_mode": "rmse"}),
    "upgrad sum": ("upgrad", {"reduction": "sum"}),
    "dualproj sum": ("dualproj", {"reduction": "sum"}),
    "fairgrad 2": ("fairgrad", {"alpha": 2.0}),
}
"""Every method on the Gramian as it is by default, by its name, and some of their settings."""


def matrices(family: Callable[[int, Chance], Rows], sizes: tuple[int, ...] = SIZES) -> list[Rows]:
    return [family(tasks, np.random.default_rng([tasks, len(family.__name__)])) for tasks in sizes]


def weigh(variant: str, rows: Rows, blur: Chance | None = None) -> Rows:
    """Weights [K] of a fresh method at its first step, all losses 1, every independent batch the same.

    blur: round the Gramian as float32 gradients do.
    """
    name, settings = VARIANTS[variant]
    count = len(rows)
    gramian = rows @ rows.T
    if blur is not None:
        noise = 2.0**-23 * blur.normal(size=(count, count))
        gramian *= 1 + noise + noise.T
    totals = Totals(0, tuple(map(str, range(count))), tuple(range(count)), (1.0,) * count, (1.0,) * count)
    shown = StepGradients(totals, 0, Shards(1), gramian=lambda: torch.from_numpy(gramian))
    return registry.make(name, settings, tasks=count).weigh(shown.crossed(torch.from_numpy(gramian))).numpy()


def longest(weights: Rows, rows: Rows) -> float:
    """The longest summand: what rounding is measured by; where all weights are rounding, 1e-9 of the longest gradient."""
    lengths = np.linalg.norm(rows, axis=1)
    return max(float((np.abs(weights) * lengths).max()), 1e-9 * float(lengths.max()), 1e-300)
