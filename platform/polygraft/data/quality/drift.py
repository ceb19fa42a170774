"""Drift between splits by the two-sample Kolmogorov-Smirnov statistic (Smirnov 1948, https://doi.org/10.1214/aoms/1177730256)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from polygraft.data.quality.base import Check, Finding
from polygraft.data.survey import Survey

LARGE, SIGNIFICANT = 0.1, 1.95  # 1.95 sqrt(1/n + 1/m) is the bound of the .001 level
MOST_LEVELS, UNSTABLE = 100, 0.25


class Drift(Check):
    """Features that are distributed differently in the training and the test rows of the sample.

    Numbers by Kolmogorov-Smirnov; texts of at most 100 levels by the population stability index, whose usual bound is .25
    (Siddiqi 2006, Credit Risk Scorecards, chapter 9). Other texts have too few rows a level in a sample.
    """

    def look(self, seen: Survey) -> Iterable[Finding]:
        for name in seen.features:
            values = seen.numbers(name)
            if not len(values):
                yield from _levels(seen, name)
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


def _levels(seen: Survey, name: str) -> Iterable[Finding]:
    known = seen.columns[name].levels
    if not known or not 1 < len(known) <= MOST_LEVELS:
        return
    texts = seen.sample.column(name).to_pandas().astype(str)
    one, other = (texts[seen.sample_parts == part].value_counts().to_dict() for part in (0, 2))
    if not one or not other:
        return
    index = stability(one, other)
    if index > UNSTABLE:
        words = f"{name} differs between training and test rows: population stability index {index:.3f}"
        yield Finding("drift", "warning", f"columns.{name}", index, "PSI", words)


def stability(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """Sum of (p - q) log(p / q) over the levels of both; half a row is added to each level, so that none is empty."""
    levels = sorted({*one, *other})
    p, q = (np.array([counts.get(level, 0) + 0.5 for level in levels]) for counts in (one, other))
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * np.log(p / q)).sum())


def smirnov(one: np.ndarray, other: np.ndarray) -> float:
    """The greatest distance between the two empirical distribution functions."""
    one, other = np.sort(one), np.sort(other)
    both = np.concatenate([one, other])
    below = np.searchsorted(one, both, "right") / len(one) - np.searchsorted(other, both, "right") / len(other)
    return float(np.abs(below).max())
