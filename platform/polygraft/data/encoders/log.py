"""Standard log transform of skewed values, log(1 + x) continued oddly to negative ones (John and Draper 1980, https://doi.org/10.2307/2986305, the modulus transform with exponent 0)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from polygraft.data.encoders.base import Encoder
from polygraft.data.known import Known
from polygraft.data.plans import NumberPlan


class Log(Encoder):
    """A number x becomes sign(x) log(1 + |x|), and that is standardised over the training rows, as filled and clipped.

    0 stays 0 and -x is the mirror image of x, so counts, amounts and balances need no shift; below 1 it is nearly linear.
    """

    takes = ("number",)
    gives = "numbers"
    bends = True

    def finish(self, part: str, plan: NumberPlan, known: Known) -> NumberPlan:
        plan = plan.finished(known.mean() if known.count else 0.0)
        mean, deviation = known.moments(plan, bend=lambda values: self.bend(plan, values))
        return replace(plan, mean=mean, scale=deviation if deviation > 1e-12 * abs(mean) else 1.0)

    def bend(self, plan: NumberPlan, values: np.ndarray) -> np.ndarray:
        return np.copysign(np.log1p(np.abs(values)), values)
