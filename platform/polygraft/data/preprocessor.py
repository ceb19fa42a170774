"""The preprocessor: what was fitted on the training rows, as a thing that encodes any rows; part of the model folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from polygraft.core.atomic import write_json
from polygraft.core.batch import Inputs
from polygraft.core.errors import Fault, UserError, fault, nearest
from polygraft.data.cache import read_json
from polygraft.data.columns import UnfitError, conform, levels_of
from polygraft.data.encoders import registry as encoders
from polygraft.data.encoders.own_input import InputEncoder
from polygraft.data.plans import Bend, CategoryPlan, InputPlan, NumberPlan
from polygraft.data.ragged import Encoded
from polygraft.data.recipes import from_pandas
from polygraft.data.series import chains, extended
from polygraft.data.spec import Kind, SeriesSpec

if TYPE_CHECKING:
    import pandas as pd

FILE = "preprocessor.json"


@dataclass(frozen=True)
class Feature:
    """One raw column and what becomes of it.

    type: of the raw column in the training table, as Arrow writes it. encoder: its name and settings.
    numbers: the plan of each part (see Encoder.parts), by its name; or category, or input: the plan of the whole.
    """

    column: str
    kind: Kind
    type: str
    encoder: tuple[str, Mapping[str, Any]]
    numbers: Mapping[str, NumberPlan]
    category: CategoryPlan | None = None
    input: InputPlan | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "column": self.column,
            "kind": self.kind,
            "type": self.type,
            "encoder": {"name": self.encoder[0], "settings": dict(self.encoder[1])},
            "numbers": {part: plan.to_json() for part, plan in self.numbers.items()},
            "category": self.category.to_json() if self.category else None,
            "input": self.input.to_json() if self.input else None,
        }

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> Feature:
        category, own = fields["category"], fields.get("input")
        return Feature(
            fields["column"],
            fields["kind"],
            fields["type"],
            (fields["encoder"]["name"], fields["encoder"]["settings"]),
            {part: NumberPlan.from_json(plan) for part, plan in fields["numbers"].items()},
            CategoryPlan.from_json(category) if category else None,
            InputPlan.from_json(own) if own else None,
        )


@dataclass(frozen=True)
class Preprocessor:
    """Raw rows -> `numbers`, `categories` and the other inputs, as the training rows said.

    plugins: where the user's own encoders lie. series: what the raw rows are moments of; their past is what is among them.
    """

    features: tuple[Feature, ...]
    plugins: Path | None = None
    series: SeriesSpec | None = None

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
        own = [_own(feature, self.plugins) for feature in self.features if feature.input is not None]
        return {plan.input.name: encoder.kept(plan, mapped[plan.input.name]) for encoder, plan in own}

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
        return encoded

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

    @staticmethod
    def load(folder: Path, plugins: Path | None = None) -> Preprocessor:
        """What `save` wrote there. plugins: the folder whose `plugins/` holds the user's own encoders, if any is used."""
        saved = read_json(folder / FILE)
        if saved["format"] not in (2, 3):  # 2 is from before there were series
            raise fault(f"format {saved['format']} is not known; this polygraft reads 2 and 3.", str(folder / FILE))
        series = SeriesSpec.from_json(saved["series"]) if saved.get("series") else None
        return Preprocessor(tuple(map(Feature.from_json, saved["features"])), plugins, series)


def encode_features(
    features: tuple[Feature, ...], columns: Mapping[str, pa.ChunkedArray], plugins: Path | None
) -> tuple[dict[str, Encoded], dict[str, int]]:
    """All inputs of conformed columns, both matrices first, and by column how many rows hold what training did not know.

    Raises UnfitError, with the column, for values that an input of its own does not take.
    """
    from polygraft.data.kernels.encode import encode_codes, encode_numbers

    rows = len(next(iter(columns.values()))) if columns else 0
    numbers: list[pa.ChunkedArray] = []
    plans: list[NumberPlan] = []
    bends: list[Bend | None] = []
    categories = [feature for feature in features if feature.category is not None]
    codes = np.empty((rows, len(categories)), np.int32)
    unknown = {}
    for j, feature in enumerate(categories):
        assert feature.category is not None
        column, plan = columns[feature.column], feature.category
        encoder = encoders.make(feature.encoder[0], feature.encoder[1], beside=plugins)
        mapping, missing = encoder.mapping(plan, levels_of(column))
        unknown[feature.column] = encode_codes(column, mapping, missing, codes[:, j])
    for feature in features:
        if feature.numbers:
            encoder = encoders.make(feature.encoder[0], feature.encoder[1], beside=plugins)
            parts = encoder.parts(columns[feature.column])
            numbers += [parts[part] for part in feature.numbers]
            plans += feature.numbers.values()
            bends += [partial(encoder.bend, plan) if encoder.bends else None for plan in feature.numbers.values()]
    encoded: dict[str, Encoded] = {"numbers": encode_numbers(numbers, plans, rows, bends), "categories": codes}
    for feature in features:
        if feature.input is not None:
            encoded[feature.input.input.name], unknown[feature.column] = _apply(feature, columns, plugins)
    return encoded, unknown


def _apply(feature: Feature, columns: Mapping[str, pa.ChunkedArray], plugins: Path | None) -> tuple[Encoded, int]:
    encoder, plan = _own(feature, plugins)
    try:
        return encoder.apply(plan, columns[feature.column])
    except UnfitError as error:
        raise UnfitError(f"the column '{feature.column}' is a {feature.kind}: {error}") from None


def _own(feature: Feature, plugins: Path | None) -> tuple[InputEncoder, InputPlan]:
    """The fitted encoder of a feature that is an input of its own, and its plan."""
    encoder = encoders.make(feature.encoder[0], feature.encoder[1], beside=plugins, folder=None)
    assert isinstance(encoder, InputEncoder)
    assert feature.input is not None
    return encoder, feature.input


def _as_trained(column: pa.ChunkedArray, feature: Feature) -> pa.ChunkedArray:
    """A category's column in the type it had in training: `1` and `1.0` are one level, whatever pandas made of it."""
    if feature.kind == "category" and str(column.type) != feature.type and pa.types.is_floating(column.type):
        try:
            return column.cast(pa.type_for_alias(feature.type))
        except (pa.ArrowException, ValueError):
            return column
    return column
