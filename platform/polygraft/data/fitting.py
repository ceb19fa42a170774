"""Fitting: each feature's plan, from the training rows alone, as the cleaning steps and its encoder decide."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa

from polygraft.core.errors import Fault, UserError
from polygraft.data.checks import Checked
from polygraft.data.cleaning import registry as cleaning
from polygraft.data.cleaning.base import Cleaning, Levels
from polygraft.data.columns import UnfitError, levels_of
from polygraft.data.encoders import registry as encoders
from polygraft.data.encoders.base import Encoder
from polygraft.data.encoders.own_input import InputEncoder
from polygraft.data.feature import Feature
from polygraft.data.known import Held, Known
from polygraft.data.plans import CategoryPlan, NumberPlan
from polygraft.data.spec import TableSpec
from polygraft.data.splits import TRAINING
from polygraft.data.texts import Counts

_TOO_LARGE = (
    "the values of '{column}' are too large: their squares are more than 64 bits hold. "
    "Pull them in, clean: [{{name: outliers}}], or drop the column: drop: [{column}]."
)


def fit(spec: TableSpec, checked: Checked) -> tuple[Feature, ...]:
    """A feature for each column, several at once. Raises UserError for columns that hold nothing, or infinities."""
    from polygraft.data.kernels.threads import each

    chosen = checked.parts == TRAINING
    made = [cleaning.make(name, settings, beside=spec.plugins) for name, settings in spec.clean]
    steps = [step for step in made if isinstance(step, Cleaning)]  # the others have acted on the rows by now

    def work(column: str) -> tuple[Feature | None, list[Fault]]:
        kind, step = checked.features[column]
        encoder: Encoder = encoders.make(step[0], step[1], beside=spec.plugins, folder=spec.folder)
        if isinstance(encoder, InputEncoder):
            try:
                plan = encoder.fit(column, checked.columns[column], chosen)
            except UnfitError as error:
                return None, [spec.fault(f"encode.{column}", f"'{column}': {error}")]
            return Feature(column, kind, checked.types[column], step, {}, input=plan), []
        numbers: dict[str, NumberPlan] = {}
        category: CategoryPlan | None = None
        if encoder.gives == "categories":
            category = fit_category(column, checked.columns[column], chosen=chosen, encoder=encoder, steps=steps)
        else:
            for part, values in encoder.parts(checked.columns[column]).items():
                known = Held(values, chosen)
                if faults := column_faults(spec, column, known):
                    return None, faults
                name = f"{column} {part}".strip()
                number = numbers[part] = fit_number(name, known, encoder=encoder, steps=steps, part=part)
                if not math.isfinite(number.mean) or not math.isfinite(number.scale):
                    return None, [spec.fault(f"columns.{column}", _TOO_LARGE.format(column=column))]
        return Feature(column, kind, checked.types[column], step, numbers, category), []

    fitted = each(work, checked.features)
    if faults := [fault for _, found in fitted for fault in found]:
        raise UserError(faults)
    return tuple(feature for feature, _ in fitted if feature is not None)


def fit_number(name: str, known: Known, *, encoder: Encoder, steps: list[Cleaning], part: str = "") -> NumberPlan:
    """The plan of one number column: the steps in order, then the encoder's mean and scale."""
    known.find([*(fraction for step in steps for fraction in step.wants()), *encoder.wants()])
    plan = NumberPlan(name)
    for step in steps:
        plan = step.number(plan, known)
    return encoder.finish(part, plan, known)


def fit_category(
    name: str, column: pa.ChunkedArray, *, chosen: np.ndarray, encoder: Encoder, steps: list[Cleaning]
) -> CategoryPlan:
    """The plan of one category column: spelled, the encoder's vocabulary, then the steps in order."""
    return plan_category(name, count_levels(column, chosen), encoder=encoder, steps=steps)


def plan_category(name: str, levels: Levels, *, encoder: Encoder, steps: list[Cleaning]) -> CategoryPlan:
    """The same from the levels of its training rows."""
    spellings = tuple(spelling for step in steps if (spelling := step.spelling()) is not None)
    for spelling in spellings:
        levels = levels.spelled(spelling)
    plan = replace(encoder.levels(name, levels), spellings=spellings)
    for step in steps:
        plan = step.category(plan, levels)
    return plan


def count_levels(column: pa.ChunkedArray, chosen: np.ndarray) -> Levels:
    """How often each level occurs in the chosen rows."""
    from polygraft.data.kernels.buffers import buffers
    from polygraft.data.kernels.numbered import count_numbers

    texts = levels_of(column).arrow
    counts = np.zeros(len(texts) + 1, np.int64)
    row = 0
    for chunk in column.chunks:
        part = buffers(chunk.indices)
        count_numbers(part.values, part.validity, part.offset, chosen[row : row + part.rows], counts)
        row += part.rows
    seen = counts[:-1] > 0
    if not seen.all():
        texts = texts.filter(pa.array(seen))
    return Levels(Counts(texts, counts[:-1][seen]), int(counts[-1]))


def column_faults(spec: TableSpec, column: str, known: Known) -> list[Fault]:
    """Why a number column cannot be fitted."""
    place = f"columns.{column}"
    if known.empty:
        return [spec.fault(place, f"every value of '{column}' is NaN. Drop it: drop: [{column}].")]
    if known.infinite:
        what = f"{known.infinite:,} values of '{column}' are infinite. Make them null, or drop the column: drop: [{column}]."
        return [spec.fault(place, what)]
    return []
