"""Standard imputation by one value, or by those of the nearest rows (Troyanskaya et al. 2001, https://doi.org/10.1093/bioinformatics/17.6.520), with a missing-value indicator (Little and Rubin, Statistical Analysis with Missing Data, section 4.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from polygraft.core.catalogue import Range
from polygraft.data.cleaning.base import Cleaning, Levels
from polygraft.data.known import Known
from polygraft.data.plans import CategoryPlan, NumberPlan


class Missing(Cleaning):
    """Fill what is missing with a number from the training rows, and say in a column of its own where it was missing.

    fill: which number; `constant` takes `value`; `knn` is the mean of the `neighbours` training rows that are nearest in the
        number columns that both know, as they are encoded; of a row with no known number it is the column's mean.
    value: what `constant` fills in, in the column's own unit.
    neighbours: of how many rows `knn` takes the mean.
    references: how many training rows `knn` looks at, drawn by chance and kept with the model.
    indicator: add the indicator to each number column that has a missing value in the training rows.
    levels: what a missing category becomes: a level of its `own`, the `most_frequent` one (the first by text of equal ones),
        or `level`, a `constant`.
    level: what `constant` fills in.
    """

    def __init__(
        self,
        fill: Literal["median", "mean", "most_frequent", "constant", "knn"] = "median",
        value: float = 0.0,
        indicator: bool = True,
        levels: Literal["own", "most_frequent", "constant"] = "own",
        level: str = "missing",
        neighbours: Annotated[int, Range(min=1, max=1000)] = 5,
        references: Annotated[int, Range(min=1, max=100_000)] = 2000,
    ) -> None:
        self.fill, self.value, self.indicator = fill, value, indicator
        self.levels, self.level = levels, level
        self.neighbours, self.references = neighbours, references

    def streams(self) -> bool:
        return self.fill != "knn"

    def wants(self) -> tuple[float, ...]:
        return (0.5,) if self.fill == "median" else ()

    def number(self, plan: NumberPlan, known: Known) -> NumberPlan:
        indicator = self.indicator and known.missing > 0
        if self.fill == "constant":
            return replace(plan, fill=self.value, indicator=indicator)
        if not known.count:  # no training row knows a value: there is nothing to take one from
            return replace(plan, fill=0.0, indicator=indicator)
        if self.fill == "knn":
            plan = replace(plan, nearest=self.neighbours, references=self.references)
            return replace(plan, fill=known.mean(), indicator=indicator)
        fill = {"median": lambda: known.quantile(0.5), "mean": known.mean, "most_frequent": known.most_frequent}[
            self.fill
        ]()
        return replace(plan, fill=fill, indicator=indicator)

    def category(self, plan: CategoryPlan, levels: Levels) -> CategoryPlan:
        if self.levels == "own" or (self.levels == "most_frequent" and not levels.counts):
            return plan
        if self.levels == "most_frequent":
            return replace(plan, null=False, fill=min(levels.counts, key=lambda level: (-levels.counts[level], level)))
        more = () if plan.buckets else (self.level,)
        return replace(plan, null=False, fill=self.level, levels=tuple(sorted({*plan.levels, *more})))
