"""Splits: which rows train, which choose and stop (validation), and which are scored once, at the end (test)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polygraft.core.seeding import counter
from polygraft.data.columns import UnfitError, as_category, as_timestamp, levels_of, single
from polygraft.data.spec import SplitSpec

TRAINING, VALIDATION, TEST, DROPPED = 0, 1, 2, 3  # a dropped row was one to train on
NAMES = {"train": TRAINING, "validation": VALIDATION, "test": TEST}


def split(spec: SplitSpec, rows: int, column: pa.ChunkedArray | None, seed: int) -> np.ndarray:
    """uint8 [rows]: each row's part. Raises UnfitError, with a text that begins at the setting: `test: ...`.

    random: each row draws a number by (seed, its own number); the lowest are the test, the highest the validation rows.
    group: a row's part depends on (seed, its group's value) alone, so shares are met on average.
    time: rows of equal time stay together, so shares are met as nearly as that allows.
    """
    if spec.by == "column":
        assert column is not None
        return _by_column(spec, column, seed)
    validation, test = share_of(spec.validation, "validation"), share_of(spec.test, "test")
    if validation + test >= 1:
        raise UnfitError(f"test: {test:g} and validation {validation:g} leave no training rows.")
    if spec.by == "random":
        return _parts(_places(rows, seed), validation, test)
    assert column is not None
    if spec.by == "group":
        return _parts(by_group(column, seed), validation, test)
    return _by_time(column, validation, test)


def share_of(value: object, name: str) -> float:
    """The value as a share. Raises UnfitError when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise UnfitError(f"{name}: a share is a number from 0 to below 1, not {value!r}.")
    return float(value)


def _parts(place: np.ndarray, validation: float, test: float) -> np.ndarray:
    """Part by a place in [0, 1): test first, then validation, so that neither's share moves the other."""
    parts = np.where(place < test, TEST, np.where(place >= 1 - validation, VALIDATION, TRAINING))
    return parts.astype(np.uint8)


def _places(rows: int, seed: int) -> np.ndarray:
    """float64 in [0, 1): the rows at random, evenly spaced, so that shares are met exactly."""
    places = np.empty(rows)
    places[_ranked(uniform(seed, np.arange(rows, dtype=np.uint64)))] = (np.arange(rows) + 0.5) / rows
    return places


def _ranked(numbers: np.ndarray) -> np.ndarray:
    """int64: their places in ascending order, of equal ones the first first."""
    order = np.argsort(numbers)  # six times as fast as a stable sort, and the same unless two are equal
    equal = (numbers[order[1:]] == numbers[order[:-1]]).any()
    return np.argsort(numbers, kind="stable") if equal else order


def uniform(seed: int, numbers: np.ndarray) -> np.ndarray:
    """float64 in [0, 1) for each uint64: a pure function of (seed, number), SplitMix64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        mixed = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(counter(seed, "split"))
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def by_group(column: pa.ChunkedArray, seed: int) -> np.ndarray:
    """Each row's place, by the hash of its group's value; rows without one are one group."""
    values, indices = values_of(column)
    hashes = [int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") for text in values]
    return uniform(seed, np.array([*hashes, 0], np.uint64))[indices]


def values_of(column: pa.ChunkedArray) -> tuple[Sequence[str], np.ndarray]:
    """The column's values as texts, and which of them each row has; a null row has the number after the last."""
    try:
        groups = as_category(column)
    except UnfitError as error:
        raise UnfitError(f"column: {error}") from None
    values = levels_of(groups)
    indices = pa.chunked_array([chunk.indices for chunk in groups.chunks], pa.int32())
    return values, np.asarray(indices.fill_null(len(values)))


def _by_time(column: pa.ChunkedArray, validation: float, test: float) -> np.ndarray:
    column = times(column)
    if column.null_count:
        raise UnfitError(f"column: {column.null_count:,} rows have no time, so they belong nowhere.")
    order = np.asarray(pc.rank(column, tiebreaker="min"), np.int64) - 1  # rows strictly before this one's time
    rows = len(column)
    test_from, validation_from = round(rows * (1 - test)), round(rows * (1 - test - validation))
    # A tie takes the part of its first row.
    return np.where(order >= test_from, TEST, np.where(order >= validation_from, VALIDATION, TRAINING)).astype(np.uint8)


def times(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in a type whose order is that of time: texts as moments, since '9' stands behind '10'. NaN is null."""
    try:
        column = single(column)
        if any(test(column.type) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_null)):
            return as_timestamp(column)
    except UnfitError as error:
        raise UnfitError(f"column: {error}") from None
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    ordered = any(test(column.type) for test in (pa.types.is_integer, pa.types.is_decimal, pa.types.is_temporal))
    if not ordered or pa.types.is_interval(column.type):
        raise UnfitError(f"column: values of type {column.type} are no times.")
    return column


def _by_column(spec: SplitSpec, column: pa.ChunkedArray, seed: int) -> np.ndarray:
    values, indices = values_of(column)

    def marked(wanted: object, name: str) -> np.ndarray:
        texts = [text_of(each) for each in (wanted if isinstance(wanted, tuple | list) else (wanted,))]
        if unknown := [text for text in texts if text not in values]:
            some = ", ".join(f"'{value}'" for value in sorted(values)[:8])
            raise UnfitError(f"{name}: no row of '{spec.column}' is '{unknown[0]}'. Its values are {some}.")
        return np.isin(indices, [values.index(text) for text in texts])

    parts = np.full(len(column), TRAINING, np.uint8)
    share = spec.validation
    if (
        isinstance(share, int | float)
        and not isinstance(share, bool)
        and 0 <= share < 1
        and text_of(share) not in values
    ):
        parts[marked(spec.test, "test")] = TEST
        rest = np.flatnonzero(parts != TEST)
        parts[rest[_places(len(rest), seed) < share]] = VALIDATION
        return parts
    parts[marked(spec.validation, "validation")] = VALIDATION
    parts[marked(spec.test, "test")] = TEST
    return parts


def text_of(value: object) -> str:
    """A setting as the text that a column's value is."""
    return str(value).lower() if isinstance(value, bool) else str(value)
