"""Demographic parity: the label's rate by group (Dwork et al. 2012, https://doi.org/10.1145/2090236.2090255, section 3)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from polygraft.data.group_error import NAMED
from polygraft.data.quality.base import Check, Finding
from polygraft.data.survey import Survey

LEAST, FOUR_FIFTHS = 100, 0.8


class GroupBias(Check):
    """Features named as a protected group, whose rate of a yes/no target is in one group below four fifths of another's.

    On the sample; groups of less than a hundred labelled rows are left out. Four fifths is the rule of 29 CFR 1607.4 (D).
    """

    def look(self, seen: Survey) -> Iterable[Finding]:
        targets = {column: each for each in seen.spec.targets if each.kind != "number" for column in each.columns}
        for name in (each for each in seen.columns if NAMED.search(each)):
            groups = np.asarray(seen.sample.column(name).to_pandas().astype(str))
            for target, said in targets.items():
                labels = seen.numbers(target)
                if not len(labels) or not np.isin(labels[~np.isnan(labels)], (0, 1)).all():
                    continue
                rates = _rates(groups, labels)
                low, high = min(rates, key=rates.__getitem__, default=""), max(rates, key=rates.__getitem__, default="")
                if rates and rates[low] < FOUR_FIFTHS * rates[high]:
                    words = (
                        f"{target} is {rates[low]:.1%} where {name} is {low!r}, {rates[high]:.1%} where it is {high!r}"
                    )
                    rate = rates[low] / rates[high]
                    step = f"{{name: reweigh, group: {name}, task: {said.task}}}"
                    mend = f"clean: [{step}, {{name: missing}}]" if said.kind == "category" else ""
                    yield Finding("group_bias", "warning", f"columns.{name}", rate, "of the rate", words, mend)


def _rates(groups: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    known = ~np.isnan(labels)
    sizes = {group: known & (groups == group) for group in np.unique(groups)}
    return {str(group): float(labels[rows].mean()) for group, rows in sizes.items() if rows.sum() >= LEAST}
