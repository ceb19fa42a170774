"""Standard winsorising (Dixon 1960, https://doi.org/10.1214/aoms/1177705900), at quantiles or at deviations from the median (Leys et al. 2013, https://doi.org/10.1016/j.jesp.2013.03.013)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from polygraft.core.catalogue import Range
from polygraft.data.cleaning.base import Cleaning
from polygraft.data.known import Known
from polygraft.data.plans import NumberPlan

_NORMAL = 1.4826  # the median absolute deviation of a normal variable, times this, is its standard deviation


class Outliers(Cleaning):
    """Pull values that lie far outside to a bound found among the known values of the training rows.

    method: `quantile`, or `mad`: so many robust standard deviations (1.4826 times the median absolute deviation) from the
        median; a column whose deviation is 0 is left alone.
    low: of `quantile`, the share of values that the lower bound lies above.
    high: of `quantile`, the share of values that the upper bound lies above.
    deviations: of `mad`, how far a value may lie from the median.
    """

    def __init__(
        self,
        method: Literal["quantile", "mad"] = "quantile",
        low: Annotated[float, Range(min=0, max=0.5)] = 0.01,
        high: Annotated[float, Range(min=0.5, max=1)] = 0.99,
        deviations: Annotated[float, Range(above=0)] = 5.0,
    ) -> None:
        self.method, self.low, self.high, self.deviations = method, low, high, deviations

    def wants(self) -> tuple[float, ...]:
        return (self.low, self.high) if self.method == "quantile" else (0.5,)

    def number(self, plan: NumberPlan, known: Known) -> NumberPlan:
        if not known.count:
            return plan
        if self.method == "quantile":
            return replace(plan, low=known.quantile(self.low), high=known.quantile(self.high))
        middle = known.quantile(0.5)
        reach = self.deviations * _NORMAL * known.deviation(middle)
        return replace(plan, low=middle - reach, high=middle + reach) if reach > 0 else plan
