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
        training, test = (seen.sample_parts == part for part in (0, 2))
        for name in seen.features:
            values = seen.numbers(name)
            if len(values):
                apart, unit, measure = numbers_apart(values[training], values[test]), "KS", "Kolmogorov-Smirnov"
            else:
                apart, unit, measure = _levels_apart(seen, name), "PSI", "population stability index"
            if apart:
                words = f"{name} differs between training and test rows: {measure} {apart:.3f}"
                yield Finding("drift", "warning", f"columns.{name}", apart, unit, words)


def _levels_apart(seen: Survey, name: str) -> float:
    known = seen.columns[name].levels
    if not known or len(known) > MOST_LEVELS:
        return 0.0
    texts = seen.sample.column(name).to_pandas().astype(str)
    one, other = (texts[seen.sample_parts == part].value_counts().to_dict() for part in (0, 2))
    return levels_apart(one, other)


def numbers_apart(one: np.ndarray, other: np.ndarray) -> float:
    """The Kolmogorov-Smirnov distance of two samples (missing as NaN) where it is large and beyond chance, else 0."""
    one, other = one[~np.isnan(one)], other[~np.isnan(other)]
    if not (len(one) and len(other)):
        return 0.0
    apart = smirnov(one, other)
    return apart if apart > max(LARGE, SIGNIFICANT * (1 / len(one) + 1 / len(other)) ** 0.5) else 0.0


def levels_apart(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """The population stability index of two counts of levels where it is large and there are at most 100 levels, else 0."""
    if not one or not other or not 1 < len({*one, *other}) <= MOST_LEVELS:
        return 0.0
    index = stability(one, other)
    return index if index > UNSTABLE else 0.0


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
