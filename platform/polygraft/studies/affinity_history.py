"""What a measured run's history says of how its tasks help each other: means, and how far both ways to measure agree (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import cast

import numpy as np

from polygraft.training.steps.measuring import AFFINITY, AHEAD, FIRST_ORDER

Square = tuple[tuple[float, ...], ...]
FEWEST_PAIRS = 3
"""Pairs of tasks of which a correlation says something."""


@dataclass(frozen=True)
class Agreement:
    """How the first order agrees with the true look-ahead at `looks` steps, over the ordered pairs of different tasks.

    The run's first step is left out: fresh weights make all look-aheads alike, and flatter.
    mean, worst: of Pearson's correlations, each of one step's pairs; None where these are too few or do not differ.
    signs: the share of all pairs whose sign is the same; None without any.
    """

    looks: int
    mean: float | None
    worst: float | None
    signs: float | None


@dataclass(frozen=True)
class Found:
    """Means over a run's measured steps, [K, K] each: lines whose gradient, columns whose loss; shares of the loss, nan where never seen.

    first_order: over `measured` steps. ahead: over `looks` of them, by true look-ahead, the first step's included.
    """

    tasks: tuple[str, ...]
    first_order: Square
    ahead: Square
    measured: int
    looks: int
    agreement: Agreement


def found_in(points: Mapping[str, Sequence[tuple[int, float]]], tasks: Sequence[str]) -> Found:
    """What a history's points by key say of these tasks."""
    first, ahead = (_squares(points, kind, tasks) for kind in (FIRST_ORDER, AHEAD))
    return Found(
        tuple(tasks),
        _mean(list(first.values()), len(tasks)),
        _mean(list(ahead.values()), len(tasks)),
        len(first),
        len(ahead),
        agreement([(first[step], ahead[step]) for step in sorted(ahead) if step > 1 and step in first]),
    )


def agreement(looks: Sequence[tuple[np.ndarray, np.ndarray]]) -> Agreement:
    """Of (first order, look-ahead) at each step, [K, K]; step by step, for losses that fall would make steps differ alike in both."""
    pairs = [_pairs(*each) for each in looks]
    told = [each for each in map(_correlation, pairs) if each is not None]
    same = np.concatenate([np.sign(one) == np.sign(other) for one, other in pairs]) if pairs else np.empty(0)
    return Agreement(
        len(looks),
        fmean(told) if told else None,
        min(told, default=None),
        float(same.mean()) if len(same) else None,
    )


def _squares(
    points: Mapping[str, Sequence[tuple[int, float]]], kind: str, tasks: Sequence[str]
) -> dict[int, np.ndarray]:
    """By step: float64 [K, K], nan where nothing was told."""
    found: dict[int, np.ndarray] = {}
    for i, line in enumerate(tasks):
        for j, column in enumerate(tasks):
            for step, value in points.get(f"{AFFINITY}/{kind}/{line}/{column}", ()):
                found.setdefault(step, np.full((len(tasks), len(tasks)), math.nan))[i, j] = value
    return found


def _mean(squares: Sequence[np.ndarray], tasks: int) -> Square:
    """Of what is known, place by place."""
    lines = [[[square[i, j] for square in squares] for j in range(tasks)] for i in range(tasks)]
    return tuple(tuple(_known_mean(values) for values in line) for line in lines)


def _known_mean(values: Sequence[float]) -> float:
    known = [float(each) for each in values if not math.isnan(each)]
    return fmean(known) if known else math.nan


def _pairs(first: np.ndarray, ahead: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(first) & np.isfinite(ahead) & ~np.eye(len(first), dtype=bool)
    return first[known], ahead[known]


def _correlation(pairs: tuple[np.ndarray, np.ndarray]) -> float | None:
    one, other = pairs
    if len(one) < FEWEST_PAIRS or not one.std() or not other.std():
        return None
    return cast(float, np.corrcoef(one, other)[0, 1].item())
