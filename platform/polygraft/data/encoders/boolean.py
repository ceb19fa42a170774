"""Standard effect coding of a truth value (Cohen et al., Applied Multiple Regression, section 8.4)."""

from __future__ import annotations

from dataclasses import replace

from polygraft.data.encoders.base import Encoder
from polygraft.data.known import Known
from polygraft.data.plans import NumberPlan


class Boolean(Encoder):
    """True becomes 1, false -1, missing 0."""

    takes = ("boolean",)
    gives = "numbers"

    def finish(self, part: str, plan: NumberPlan, known: Known) -> NumberPlan:
        return replace(NumberPlan(plan.name), fill=0.5, mean=0.5, scale=0.5, indicator=plan.indicator)
