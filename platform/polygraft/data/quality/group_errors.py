"""Overall accuracy equality between groups, after training (Berk et al. 2021, https://doi.org/10.1177/0049124118782533, section 3)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from polygraft.data.group_error import GroupError
from polygraft.data.quality.base import Check, Finding
from polygraft.data.survey import Survey

LEAST, FACTOR, DEVIATIONS = 100, 1.25, 3.0


class GroupErrors(Check):
    """A task of the newest finished run whose error in one protected group is a quarter above another's, on the test rows.

    Groups of less than a hundred labelled rows are left out, and so is a difference within three times its standard error.
    """

    def look(self, seen: Survey) -> Iterable[Finding]:
        groups: dict[tuple[str, str], list[GroupError]] = defaultdict(list)
        for each in seen.errors:
            if each.rows >= LEAST:
                groups[each.task, each.column].append(each)
        for (task, column), found in groups.items():
            low, high = (pick(found, key=lambda each: each.error) for pick in (min, max))
            apart = high.error - low.error
            noise = math.hypot(low.deviation / math.sqrt(low.rows), high.deviation / math.sqrt(high.rows))
            if high.error <= FACTOR * low.error or apart <= DEVIATIONS * noise:
                continue
            words = (
                f"{task}: the {high.unit} is {high.error:.4g} where {column} is '{high.group}', "
                f"{low.error:.4g} where it is '{low.group}' (test rows, run {high.run})"
            )
            classes = {each.task for each in seen.spec.targets if each.kind == "category"}
            mend = (
                f"clean: [{{name: reweigh, group: {column}, task: {task}}}, {{name: missing}}]"
                if task in classes
                else ""
            )
            ratio = high.error / low.error if low.error else math.inf
            yield Finding("group_errors", "warning", f"columns.{column}", ratio, "times the error", words, mend)
