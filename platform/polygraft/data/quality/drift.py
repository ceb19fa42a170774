"""Drift between splits by the two-sample Kolmogorov-Smirnov statistic (Smirnov 1948, https://doi.org/10.1214/aoms/1177730256)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from polygraft.data.quality.base import Check, Finding
from polygraft.data.survey import Survey

LARGE, SIGNIFICANT = 0.1, 1.95  # 1.95 sqrt(1/n + 1/m) is the bound of the .001 level


class Drift(Check):
    """Number features that are distributed differently in the training and the test rows of the sample."""

    def look(self, seen: Survey) -> Iterable[Finding]:
        for name in seen.features:
            values = seen.numbers(name)
            if not len(values):
                continue
            one, other = (
                each[~np.isnan(each)] for each in (values[seen.sample_parts == 0], values[seen.sample_parts == 2])
            )
            if not (len(one) and len(other)):
                continue
            apart = smirnov(one, other)
            if apart > max(LARGE, SIGNIFICANT * (1 / len(one) + 1 / len(other)) ** 0.5):
                words = f"{name} differs between training and test rows: Kolmogorov-Smirnov {apart:.3f}"
                yield Finding("drift", "warning", f"columns.{name}", apart, "KS", words)


def smirnov(one: np.ndarray, other: np.ndarray) -> float:
    """The greatest distance between the two empirical distribution functions."""
    one, other = np.sort(one), np.sort(other)
    both = np.concatenate([one, other])
    below = np.searchsorted(one, both, "right") / len(one) - np.searchsorted(other, both, "right") / len(other)
    return float(np.abs(below).max())
