"""Groups: the column that says which rows belong together, by its name or by how alike the labels of its rows are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from polygraft.core.seeding import numpy_generator
from polygraft.data.columns import UnfitError
from polygraft.data.spec import Kind
from polygraft.data.splits import values_of
from polygraft.data.target import Labels

FEWEST, LARGEST = 20, 0.1
"""A column of groups has so many levels or more, on average two rows or more in each, and none has more than this share of all rows."""
ALIKE, ROWS = 0.8, 100
"""Labels hang on a text's levels, of so many rows or fewer on average, from this intraclass correlation on: rows of one thing."""
_SHUFFLES = (
    99  # of the labels; a correlation that one of them reaches is chance (a rare label is alike in a group of two soon)
)

_IDS = {"id", "ids", "uid", "uuid", "guid"}
_MARKS = _IDS | {"no", "nr", "num", "number", "code", "key", "name", "hash"}
_THINGS = {
    *("person", "patient", "user", "customer", "client", "member", "subject", "participant", "respondent", "household"),
    *("family", "child", "pupil", "student", "teacher", "employee", "worker", "player", "driver", "passenger", "rider"),
    *(
        "author",
        "speaker",
        "writer",
        "visitor",
        "donor",
        "owner",
        "account",
        "session",
        "visit",
        "encounter",
        "episode",
    ),
    *("device", "machine", "engine", "vehicle", "tail", "aircraft", "ship", "vessel", "truck", "animal", "group"),
}


@dataclass(frozen=True)
class Group:
    """column: whose rows of one value belong together. why: in words."""

    column: str
    why: str


def candidates(table: pa.Table, kinds: Mapping[str, Kind], labels: Iterable[Labels]) -> Iterator[Group]:
    """Columns of groups among the features, whose kinds are given, the best first.

    Those that are called so come first, the one with the fewest levels before the others, since a person's sessions lie within
    the person; then texts whose levels share their label, the most alike first.
    """
    named: list[tuple[float, Group]] = []
    alike: list[tuple[float, Group]] = []
    targets = [_as_numbers(each) for each in labels]
    for name, kind in kinds.items():
        called = says_group(name)
        if not (called or kind == "category") or (found := _levels(table.column(name))) is None:
            continue
        levels, which = found
        size = f"{levels:,} values of about {len(which) / levels:.0f} rows each"
        if called:
            named.append((levels, Group(name, f"{size}, which by its name belong together")))
        elif len(which) <= ROWS * levels:
            correlation = max((_alike(which, values) for values in targets), default=0.0)
            if correlation:
                why = f"{size}, whose labels are alike (intraclass correlation {correlation:.2f})"
                alike.append((-correlation, Group(name, why)))
    for _, group in [*sorted(named, key=lambda each: each[0]), *sorted(alike, key=lambda each: each[0])]:
        yield group


def says_group(name: str) -> bool:
    """Whether a name means one of a kind: `patient`, `userId`, `tailnum`, `ID`; but neither `users` nor `customer_city`."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    things = [word for word in words if word in _THINGS or any(word == a + b for a in _THINGS for b in _MARKS)]
    marks = [word for word in words if word in _MARKS]
    return len(words) > 0 and len(things) + len(marks) == len(words) and (bool(things) or set(words) <= _IDS)


def intraclass(which: np.ndarray, values: np.ndarray) -> float:
    """The intraclass correlation of values, float64 [rows, n], n columns taken together: 1 where rows of a group are equal.

    The estimator by the analysis of variance for groups of unequal sizes, Donner 1986 (https://doi.org/10.2307/1403259),
    section 2. which: int [rows], the group of each row. 0 where nothing varies, or no group has two rows.
    """
    _, which, sizes = np.unique(which, return_inverse=True, return_counts=True)
    rows, groups = len(which), len(sizes)
    if groups < 2 or rows == groups:
        return 0.0
    apart = values - values.mean(0)
    sums = np.stack([np.bincount(which, column, groups) for column in apart.T], 1)
    between = float((sums**2 / sizes[:, None]).sum())
    within = max(float((apart**2).sum()) - between, 0.0)
    between, within = between / (groups - 1), within / (rows - groups)
    typical = (rows - (sizes**2).sum() / rows) / (groups - 1)
    total = between + (typical - 1) * within
    return (between - within) / total if total > 0 else 0.0


def _levels(column: pa.ChunkedArray) -> tuple[int, np.ndarray] | None:
    """(known levels, int [rows] the level of each row) of a column that may be one of groups; else None."""
    type_ = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not any(test(type_) for test in (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string)):
        return None
    try:
        texts, which = values_of(column)
    except UnfitError:
        return None
    counts = np.bincount(which)
    levels = int(np.count_nonzero(counts[: len(texts)]))  # behind them stands what is missing, which is one group
    fits = FEWEST <= levels <= len(which) / 2 and counts.max() <= LARGEST * len(which)
    return (levels, which) if fits else None


def _as_numbers(labels: Labels) -> np.ndarray:
    """float64 [rows, n]: a target's number, or a column for each class; NaN where there is no label."""
    values = np.asarray(labels.array, np.float64)
    if labels.spec.kind == "category":
        values = (labels.array[:, None] == np.arange(len(labels.levels))).astype(np.float64)
    values = values.reshape(len(values), -1)
    values[~labels.present] = np.nan
    return values


def _alike(which: np.ndarray, values: np.ndarray) -> float:
    """The intraclass correlation of the labelled rows; 0 where it is low, or chance alone might give it."""
    known = np.isfinite(values).all(1)
    which, values = which[known], values[known]
    found, shuffle = intraclass(which, values), numpy_generator(0, "groups")
    if found < ALIKE or any(intraclass(shuffle.permutation(which), values) >= found for _ in range(_SHUFFLES)):
        return 0.0
    return found
