"""Standard scores: zero mean and unit variance over the training rows (Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, section 14.3)."""

from __future__ import annotations

from dataclasses import replace

from polygraft.data.encoders.base import Encoder
from polygraft.data.known import Known
from polygraft.data.plans import NumberPlan


class Standard(Encoder):
    """A number, or a boolean as 0 and 1, less its mean and over its standard deviation, as filled and clipped.

    A constant column becomes 0.
    """

    takes = ("number", "boolean")
    gives = "numbers"

    def finish(self, part: str, plan: NumberPlan, known: Known) -> NumberPlan:
        plan = plan.finished(known.mean() if known.count else 0.0)
        mean, deviation = known.moments(plan)
        return replace(plan, mean=mean, scale=deviation if deviation > 1e-12 * abs(mean) else 1.0)
