"""Standard robust scaling by the median and a range of quantiles (as RobustScaler of scikit-learn: https://scikit-learn.org/stable/modules/generated/sklearn.preprocessing.RobustScaler.html)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from polygraft.core.catalogue import Range
from polygraft.data.encoders.base import Encoder
from polygraft.data.known import Known
from polygraft.data.plans import NumberPlan


class Robust(Encoder):
    """A number less the median of the known training values, over the distance of two of their quantiles, all as clipped.

    Values far outside move neither; what is missing becomes 0, the median, unless a step fills it. Where the quantiles are
    equal (most values are one value) it is scaled by the standard deviation, where scikit-learn would not scale.
    low: the lower quantile. high: the upper one.
    """

    takes = ("number",)
    gives = "numbers"

    def __init__(
        self,
        low: Annotated[float, Range(min=0, below=0.5)] = 0.25,
        high: Annotated[float, Range(above=0.5, max=1)] = 0.75,
    ) -> None:
        self.low, self.high = low, high

    def wants(self) -> tuple[float, ...]:
        return (self.low, 0.5, self.high)

    def finish(self, part: str, plan: NumberPlan, known: Known) -> NumberPlan:
        if not known.count:
            return plan.finished(0.0)
        low, median, high = (float(plan.clip(known.quantile(fraction))) for fraction in self.wants())
        plan = plan.finished(median)
        mean, deviation = known.moments(plan)
        scale = high - low if high > low else deviation if deviation > 1e-12 * abs(mean) else 1.0
        return replace(plan, mean=median, scale=scale)
