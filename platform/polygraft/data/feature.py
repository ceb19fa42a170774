"""A feature: one raw column, and what becomes of it by its fitted plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polygraft.data.columns import UnfitError, levels_of
from polygraft.data.encoders import registry as encoders
from polygraft.data.encoders.own_input import InputEncoder
from polygraft.data.plans import Bend, CategoryPlan, InputPlan, NumberPlan
from polygraft.data.ragged import Encoded
from polygraft.data.spec import Kind


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


def encode_features(
    features: tuple[Feature, ...], columns: Mapping[str, pa.ChunkedArray], plugins: Path | None
) -> tuple[dict[str, Encoded], dict[str, int]]:
    """All inputs of conformed columns, both matrices first, and by column how many rows hold what training did not know.

    Raises UnfitError, with the column, for values that an input of its own does not take.
    """
    from polygraft.data.kernels.encode import encode_codes, encode_numbers

    rows = len(next(iter(columns.values()))) if columns else 0
    numbers = number_columns(features, columns, plugins)
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
            plans += feature.numbers.values()
            bends += [partial(encoder.bend, plan) if encoder.bends else None for plan in feature.numbers.values()]
    encoded: dict[str, Encoded] = {"numbers": encode_numbers(numbers, plans, rows, bends), "categories": codes}
    for feature in features:
        if feature.input is not None:
            encoded[feature.input.input.name], unknown[feature.column] = _apply(feature, columns, plugins)
    return encoded, unknown


def number_columns(
    features: tuple[Feature, ...], columns: Mapping[str, pa.ChunkedArray], plugins: Path | None
) -> list[pa.ChunkedArray]:
    """What the columns of `numbers` but its indicators are made of, in their order."""
    found: list[pa.ChunkedArray] = []
    for feature in features:
        if feature.numbers:
            encoder = encoders.make(feature.encoder[0], feature.encoder[1], beside=plugins)
            parts = encoder.parts(columns[feature.column])
            found += [parts[part] for part in feature.numbers]
    return found


def _apply(feature: Feature, columns: Mapping[str, pa.ChunkedArray], plugins: Path | None) -> tuple[Encoded, int]:
    encoder, plan = own_input(feature, plugins)
    try:
        return encoder.apply(plan, columns[feature.column])
    except UnfitError as error:
        raise UnfitError(f"the column '{feature.column}' is a {feature.kind}: {error}") from None


def own_input(feature: Feature, plugins: Path | None) -> tuple[InputEncoder, InputPlan]:
    """The fitted encoder of a feature that is an input of its own, and its plan."""
    encoder = encoders.make(feature.encoder[0], feature.encoder[1], beside=plugins, folder=None)
    assert isinstance(encoder, InputEncoder)
    assert feature.input is not None
    return encoder, feature.input
