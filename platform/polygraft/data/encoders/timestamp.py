"""Standard calendar features: an age, and places on the circles of day, week and year (https://scikit-learn.org/stable/auto_examples/applications/plot_cyclical_feature_engineering.html)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pyarrow as pa

from polygraft.data.encoders.base import Encoder
from polygraft.data.encoders.standard import Standard
from polygraft.data.known import Known
from polygraft.data.plans import NumberPlan

_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_YEAR = 365.2425  # days; the mean year of the calendar
_PERIODS = {"hour": 1.0, "weekday": 7.0, "year": _YEAR}  # days around each circle


class Timestamp(Encoder):
    """A moment becomes its age in days (standardised) and, for each circle it is on, a sine and a cosine.

    parts: `age`, `hour` (the place in the day; a date has none), `weekday` (the place in the week), `year`.
    """

    takes = ("timestamp",)
    gives = "numbers"

    def __init__(
        self,
        parts: tuple[Literal["age", "hour", "weekday", "year"], ...] = ("age", "hour", "weekday", "year"),
    ) -> None:
        self.chosen = tuple(parts)

    def parts(self, column: pa.ChunkedArray) -> dict[str, pa.ChunkedArray]:
        date = pa.types.is_date32(column.type)
        ticks = column.cast(pa.int32() if date else pa.int64())
        missing = np.asarray(ticks.is_null())
        days = np.asarray(ticks.fill_null(0), np.float64) / (1 if date else _DAY[column.type.unit])  # since 1970, UTC
        found = {"age": days} if "age" in self.chosen else {}
        for circle, period in _PERIODS.items():
            if circle in self.chosen and not (date and circle == "hour"):
                angle = 2 * np.pi / period * (days % period)
                found |= {f"{circle}_sin": np.sin(angle), f"{circle}_cos": np.cos(angle)}
        return {part: pa.chunked_array([pa.array(values, mask=missing)]) for part, values in found.items()}

    def finish(self, part: str, plan: NumberPlan, known: Known) -> NumberPlan:
        if part == "age":
            return Standard().finish(part, plan, known)
        # A missing moment is the middle of the circle; one part alone says that it was missing.
        circles = [circle for circle in _PERIODS if circle in self.chosen]
        speaks = "age" not in self.chosen and part == f"{circles[-1]}_sin"
        return replace(NumberPlan(plan.name), fill=0.0, indicator=plan.indicator and speaks)
