"""How much better one way to train is than another, and how sure that is: pure functions of figures.

    gain       of a metric M over the reference's R: s (M - R) / |R|, s = 1 where more is better, else -1
    delta-m    mean gain over all metrics of all tasks (Maninis et al. 2019, https://arxiv.org/abs/1904.08918)
    delta-p    mean over tasks of the mean gain over the task's metrics: a task with many metrics counts as one

Runs of the same seed see the same rows in the same order, so differences are taken seed by seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import atan, cos, isfinite, pi, sin, sqrt
from statistics import fmean, stdev

LEVEL = 0.95
"""How often an interval holds the true mean."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds. half: half the width of its interval; None for one seed."""

    mean: float
    half: float | None
    seeds: int

    @property
    def low(self) -> float | None:
        """The interval's lower end."""
        return None if self.half is None else self.mean - self.half

    @property
    def high(self) -> float | None:
        """The interval's upper end."""
        return None if self.half is None else self.mean + self.half


def gains(mine: Mapping[str, float], theirs: Mapping[str, float], better: Mapping[str, str]) -> dict[str, float]:
    """By `<task>/<metric>`, the gain of each metric that both have; one whose reference is 0 has none.

    better: by the same keys `max` or `min`; keys that are not in it are not compared.
    """
    return {
        key: (1 if way == "max" else -1) * (mine[key] - theirs[key]) / abs(theirs[key])
        for key, way in better.items()
        if key in mine and theirs.get(key)
    }


def delta_m(found: Mapping[str, float]) -> float:
    """Metric by metric."""
    return fmean(found.values())


def delta_p(found: Mapping[str, float]) -> float:
    """Task by task."""
    return fmean(by_task(found).values())


def by_task(found: Mapping[str, float]) -> dict[str, float]:
    """Each task's mean gain over its metrics."""
    tasks: dict[str, list[float]] = {}
    for key, gain in found.items():
        tasks.setdefault(key.partition("/")[0], []).append(gain)
    return {task: fmean(each) for task, each in tasks.items()}


def estimate(values: Sequence[float], level: float = LEVEL) -> Estimate:
    """Mean of a value a seed, with Student's interval: mean +- t(n - 1) s / sqrt(n)."""
    assert values
    assert all(map(isfinite, values))
    count = len(values)
    half = None if count == 1 else student(level, count - 1) * stdev(values) / sqrt(count)
    return Estimate(fmean(values), half, count)


def student(level: float, freedom: int) -> float:
    """The t that |T| exceeds with probability 1 - level, by bisection; freedom: degrees of it, 1 or more."""
    low, high = 0.0, 1.0
    while within(high, freedom) < level:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, freedom) < level else (low, middle)
    return (low + high) / 2


def within(t: float, freedom: int) -> float:
    """P(|T| <= t) of Student's distribution (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4, finite for whole degrees)."""
    angle = atan(t / sqrt(freedom))
    odd = freedom % 2
    term = total = 0.0 if freedom == 1 else cos(angle) if odd else 1.0
    for k in range(2 + odd, freedom, 2):
        term *= cos(angle) ** 2 * (k - 1) / k
        total += term
    return 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total
