"""Standard normal scores by the training rows' quantiles (van der Waerden 1952; as QuantileTransformer of scikit-learn with a normal output: https://scikit-learn.org/stable/modules/generated/sklearn.preprocessing.QuantileTransformer.html)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np

from polygraft.core.catalogue import Range
from polygraft.data.encoders.base import Encoder
from polygraft.data.known import Known
from polygraft.data.plans import NumberPlan


class QuantileNormal(Encoder):
    """A number becomes the normal score of its share among the known training values, as clipped: any distribution turns normal.

    Between quantiles the share is interpolated; of a value that several quantiles share it is their middle one. At and below
    the lowest value it is -5.2, at and above the highest 5.2, the scores of 1e-7 and 1 - 1e-7. A constant column becomes 0.
    quantiles: how many are kept, from the lowest value to the highest.
    """

    takes = ("number",)
    gives = "numbers"
    bends = True

    def __init__(self, quantiles: Annotated[int, Range(min=2, max=100_000)] = 1000) -> None:
        self.fractions = tuple(np.linspace(0, 1, quantiles).tolist())

    def wants(self) -> tuple[float, ...]:
        return self.fractions

    def finish(self, part: str, plan: NumberPlan, known: Known) -> NumberPlan:
        if not known.count:
            return replace(plan.finished(0.0), knots=(0.0, 0.0))
        knots = plan.clip(np.array([known.quantile(fraction) for fraction in self.fractions]))
        # Rounding in the interpolation of quantiles may put two neighbours in the wrong order.
        knots = np.maximum.accumulate(knots)
        return replace(plan.finished(known.quantile(0.5)), knots=tuple(knots.tolist()))

    def bend(self, plan: NumberPlan, values: np.ndarray) -> np.ndarray:
        from polygraft.data.kernels.curves import normal_scores

        out = np.empty(len(values))
        normal_scores(values, np.array(plan.knots), out)
        return out
