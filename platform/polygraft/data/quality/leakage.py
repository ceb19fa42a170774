"""A single feature that gives the target away (Kaufman et al. 2012, https://doi.org/10.1145/2382577.2382579), by its AUC."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from polygraft.data.quality.base import Check, Finding
from polygraft.data.survey import Survey

GIVEN_AWAY, LEAST = 0.995, 20


class Leakage(Check):
    """Number features that alone order the two classes of a target almost without fault, on the sample."""

    def look(self, seen: Survey) -> Iterable[Finding]:
        targets = [column for each in seen.spec.targets if each.kind == "category" for column in each.columns]
        for target in targets:
            labels = seen.numbers(target)
            if not np.isin(labels[~np.isnan(labels)], (0, 1)).all():
                continue
            for name in seen.features:
                area = auc(seen.numbers(name), labels)
                if max(area, 1 - area) >= GIVEN_AWAY:
                    words = f"{name} alone tells {target}: AUC {max(area, 1 - area):.4f}. Is it known beforehand?"
                    mend = f"drop: [{name}]"
                    yield Finding("leakage", "serious", f"columns.{name}", max(area, 1 - area), "AUC", words, mend)


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Of the rows that know both; ties count half. 0.5 where a class has less than 20 rows."""
    if not len(scores) or not len(labels):
        return 0.5
    known = ~(np.isnan(scores) | np.isnan(labels))
    positive, negative = scores[known & (labels == 1)], np.sort(scores[known & (labels == 0)])
    if min(len(positive), len(negative)) < LEAST:
        return 0.5
    below, upto = (np.searchsorted(negative, positive, side) for side in ("left", "right"))
    return float((below + upto).mean() / (2 * len(negative)))
