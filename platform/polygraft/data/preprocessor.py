"""The preprocessor: what was fitted on the training rows, as a thing that encodes any rows; part of the model folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa

from polygraft.core.atomic import write_json
from polygraft.core.batch import Inputs
from polygraft.core.errors import Fault, UserError, fault, nearest
from polygraft.data.cache import read_json
from polygraft.data.columns import UnfitError, conform
from polygraft.data.feature import Feature, encode_features, number_columns, own_input
from polygraft.data.neighbours import Neighbours, missing_in, references
from polygraft.data.plans import CategoryPlan, NumberPlan
from polygraft.data.ragged import Encoded
from polygraft.data.recipes import from_pandas
from polygraft.data.series import chains, extended
from polygraft.data.spec import Kind, SeriesSpec

if TYPE_CHECKING:
    import pandas as pd

FILE = "preprocessor.json"


@dataclass(frozen=True)
class Preprocessor:
    """Raw rows -> `numbers`, `categories` and the other inputs, as the training rows said.

    plugins: where the user's own encoders lie. neighbours: training rows by which missing numbers are filled, if any are. series: what the raw rows are moments of; their past is what is among them.
    """

    features: tuple[Feature, ...]
    plugins: Path | None = None
    series: SeriesSpec | None = None
    neighbours: Neighbours | None = None

    @property
    def columns(self) -> dict[str, Kind]:
        """Name and kind of each raw column that `encode` needs."""
        kinds: dict[str, Kind] = {feature.column: feature.kind for feature in self.features}
        if self.series is None:
            return kinds
        read: dict[str, Kind] = dict.fromkeys(self.series.read, "number")
        read |= dict.fromkeys(self.series.by, "category")
        read[self.series.time] = "timestamp"
        return read | {name: kind for name, kind in kinds.items() if name not in self.series.made}

    def extended(self, table: pa.Table, where: str = "") -> pa.Table:
        """Raw rows with the columns that are made of their series, labels ahead among them. Raises UserError."""
        if self.series is None:
            return table
        try:
            return extended(self.series, table, chains(self.series, table))
        except UnfitError as error:
            raise fault(f"the series' {error}", where) from None

    @property
    def number_names(self) -> list[str]:
        """What each column of `numbers` is, in order."""
        plans = self._number_plans()
        return [plan.name for plan in plans] + [f"{plan.name} is missing" for plan in plans if plan.indicator]

    @property
    def category_names(self) -> list[str]:
        """What each column of `categories` is, in order."""
        return [plan.name for plan in self._category_plans()]

    @property
    def shape(self) -> Inputs:
        """What a stem is built from."""
        others = tuple(feature.input.input for feature in self.features if feature.input is not None)
        return Inputs(len(self.number_names), tuple(plan.size for plan in self._category_plans()), others)

    def kept(self, mapped: Mapping[str, Encoded]) -> dict[str, Encoded]:
        """The inputs beyond numbers and categories, from what of them lies in the cache."""
        own = [own_input(feature, self.plugins) for feature in self.features if feature.input is not None]
        return {plan.input.name: encoder.kept(plan, mapped[plan.input.name]) for encoder, plan in own}

    def words(self) -> dict[str, list[str]]:
        """Of each input of tokens what its codes stand for."""
        own = [own_input(feature, self.plugins) for feature in self.features if feature.input is not None]
        return {plan.input.name: encoder.words(plan) for encoder, plan in own if plan.input.kind == "tokens"}

    def _number_plans(self) -> list[NumberPlan]:
        return [plan for feature in self.features for plan in feature.numbers.values()]

    def _category_plans(self) -> list[CategoryPlan]:
        return [feature.category for feature in self.features if feature.category is not None]

    def encode(
        self, rows: pa.Table | pd.DataFrame, *, where: str = "", unknown: Counter[str] | None = None
    ) -> dict[str, Encoded]:
        """{`numbers`: float32 [rows, n], `categories`: int32 [rows, m], ...} of raw rows; other columns are passed over.

        where: what the rows are called in a fault. unknown: a counter that gets, by column, how many rows hold a level that
        training did not know. Raises UserError for a missing column, values that do not fit, and infinite ones.
        """
        columns = self._conformed(rows, where)
        try:
            encoded, seen = encode_features(self.features, columns, self.plugins)
        except UnfitError as error:
            raise fault(str(error), where) from None
        if unknown is not None:
            unknown.update({column: count for column, count in seen.items() if count})
        if bad := self.infinite(cast(np.ndarray, encoded["numbers"])):
            names = ", ".join(f"'{name}'" for name in bad)
            raise fault(f"an infinite value, or one too large for 32 bits, in {names}.", where)
        self.fill(encoded, columns)
        return encoded

    def with_neighbours(
        self, encoded: Mapping[str, Encoded], columns: Mapping[str, pa.ChunkedArray], training: np.ndarray, seed: int
    ) -> Preprocessor:
        """The same with the training rows (int64) that its plans want kept, of encoded conformed columns."""
        plans = self._number_plans()
        if not any(plan.nearest for plan in plans):
            return self
        numbers = cast(np.ndarray, encoded["numbers"])
        return replace(self, neighbours=references(plans, numbers, self._missing(columns), training, seed))

    def fill(self, encoded: Mapping[str, Encoded], columns: Mapping[str, pa.ChunkedArray]) -> None:
        """Put into `numbers`, in place, what neighbours say of missing values, where they are asked."""
        if self.neighbours is not None:
            self.neighbours.fill(cast(np.ndarray, encoded["numbers"]), self._missing(columns))

    def _missing(self, columns: Mapping[str, pa.ChunkedArray]) -> np.ndarray:
        """bool [rows, numbers without indicators]."""
        found = number_columns(self.features, columns, self.plugins)
        return missing_in(found, len(next(iter(columns.values()))))

    def infinite(self, numbers: np.ndarray) -> list[str]:
        """The columns of an encoded matrix [rows, n] that hold an infinite value."""
        if np.isfinite(numbers).all():
            return []
        return [self.number_names[j] for j in np.flatnonzero(~np.isfinite(numbers).all(0))]

    def _conformed(self, rows: pa.Table | pd.DataFrame, where: str) -> dict[str, pa.ChunkedArray]:
        """The columns that features are made of, in their kinds' forms. Raises UserError, all faults at once."""
        names = rows.column_names if isinstance(rows, pa.Table) else [str(name) for name in rows.columns]
        faults = []
        for name, kind in self.columns.items():
            if (count := names.count(name)) != 1:
                what = "is there more than once." if count else f"is missing.{nearest(name, names)}"
                faults.append(Fault(where, f"the column '{name}' ({kind}) {what}"))
        if faults and self.series is not None:
            raise UserError(faults)
        found = [name for name in self.columns if names.count(name) == 1]
        table = self.extended(rows if isinstance(rows, pa.Table) else from_pandas(rows[found], where), where)
        columns = {}
        for feature in self.features:
            if feature.column not in table.column_names or names.count(feature.column) > 1:
                continue
            try:
                columns[feature.column] = conform(_as_trained(table.column(feature.column), feature), feature.kind)
            except UnfitError as error:
                faults.append(Fault(where, f"the column '{feature.column}' is a {feature.kind}: {error}"))
        if faults:
            raise UserError(faults)
        return columns

    def save(self, folder: Path) -> None:
        """Write it into `folder`, as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        series = asdict(self.series) if self.series else None
        features = [feature.to_json() for feature in self.features]
        write_json(folder / FILE, {"format": 3, "features": features, "series": series})
        if self.neighbours is not None:
            self.neighbours.save(folder)

    @staticmethod
    def load(folder: Path, plugins: Path | None = None) -> Preprocessor:
        """What `save` wrote there. plugins: the folder whose `plugins/` holds the user's own encoders, if any is used."""
        saved = read_json(folder / FILE)
        if saved["format"] not in (2, 3):  # 2 is from before there were series
            raise fault(f"format {saved['format']} is not known; this polygraft reads 2 and 3.", str(folder / FILE))
        series = SeriesSpec.from_json(saved["series"]) if saved.get("series") else None
        features = tuple(map(Feature.from_json, saved["features"]))
        return Preprocessor(features, plugins, series, Neighbours.load(folder))


def _as_trained(column: pa.ChunkedArray, feature: Feature) -> pa.ChunkedArray:
    """A category's column in the type it had in training: `1` and `1.0` are one level, whatever pandas made of it."""
    if feature.kind == "category" and str(column.type) != feature.type and pa.types.is_floating(column.type):
        try:
            return column.cast(pa.type_for_alias(feature.type))
        except (pa.ArrowException, ValueError):
            return column
    return column
