"""Which split each row of a stream belongs to: the same rows as of a table in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from polygraft.core.atomic import atomic_file
from polygraft.data.blocks import Block, Reader
from polygraft.data.columns import UnfitError
from polygraft.data.parts import Part
from polygraft.data.spec import SplitSpec
from polygraft.data.splits import TEST, TRAINING, VALIDATION, by_group, share_of, text_of, uniform, values_of

_AT_ONCE = 2**18


@dataclass(frozen=True)
class Look:
    """What a first look at a part says. rest: its rows that are no test rows, where a column says so; values: that column's."""

    rows: int
    rest: int = 0
    values: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Cut:
    """A place in the order of (key, number): a row is beyond it or before it."""

    key: int
    number: int

    def beyond(self, keys: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """bool [rows]: whether (key, number) is the cut or behind it; keys are uint64."""
        return (keys > np.uint64(self.key)) | ((keys == np.uint64(self.key)) & (numbers >= self.number))


@dataclass(frozen=True)
class Splitter:
    """The split of each row, of any block by itself. before, rest_before: rows, and rows that are no test rows, before each part.

    first, second: where the order of the rows is cut: by time, where validation and test begin; at random, where test ends and
    validation begins; by a column, where validation ends (first alone). None: nowhere.
    """

    spec: SplitSpec
    seed: int
    before: tuple[int, ...]
    rest_before: tuple[int, ...]
    first: Cut | None = None
    second: Cut | None = None

    def of(self, part: Part, blocks: Iterator[Block]) -> Iterator[tuple[Block, np.ndarray]]:
        """The part's blocks, each with its rows' splits, uint8 [rows]."""
        rest = self.rest_before[part.number]
        for block in blocks:
            numbers = np.arange(len(block.table)) + (self.before[part.number] + block.first)
            if self.spec.by == "column":
                parts = _marked(self.spec, block.table.column(str(self.spec.column)))
                others = np.flatnonzero(parts == TRAINING)
                if self.first is not None:
                    taken = np.arange(len(others)) + rest
                    parts[others[~self.first.beyond(random_keys(self.seed, taken), taken)]] = VALIDATION
                    rest += len(others)
            else:
                parts = self._ordered(block.table, numbers)
            yield block, parts

    def _ordered(self, table: pa.Table, numbers: np.ndarray) -> np.ndarray:
        spec = self.spec
        if spec.by == "group":
            place = by_group(table.column(str(spec.column)), self.seed)
            late = place >= 1 - share_of(spec.validation, "validation")
            return _parts(place < share_of(spec.test, "test"), late)
        if spec.by == "random":
            keys = random_keys(self.seed, numbers)
            return _parts(~_beyond(self.first, keys, numbers), _beyond(self.second, keys, numbers))
        keys = time_keys(table.column(str(spec.column)))
        return _parts(_beyond(self.second, keys, numbers), _beyond(self.first, keys, numbers))


def look(spec: SplitSpec, reader: Reader, part: Part, scratch: Path) -> Look:
    """The first look at a part: how many rows it has, and what the split's column says; times are laid aside in `scratch`."""
    if spec.by in ("random", "group"):
        return Look(reader.count(part))
    blocks = reader.blocks(part, [str(spec.column)])
    if spec.by == "time":
        with atomic_file(times_file(scratch, part)) as temporary, temporary.open("wb") as file:
            return Look(sum(file.write(time_keys(block.table.column(0)).tobytes()) for block in blocks) // 8)
    rows = rest = 0
    values: set[str] = set()
    for block in blocks:
        column = block.table.column(0)
        values.update(values_of(column)[0])
        rows, rest = rows + len(column), rest + int((_marked(spec, column) == TRAINING).sum())
    return Look(rows, rest, frozenset(values))


def splitter(spec: SplitSpec, seed: int, looks: Sequence[Look], parts: Sequence[Part], scratch: Path) -> Splitter:
    """The splitter, once every part was looked at. Raises UnfitError as splits.split does."""
    before, rest = (np.cumsum([0, *each]) for each in ([look.rows for look in looks], [look.rest for look in looks]))
    first, second = _cuts(spec, seed, looks, [times_file(scratch, part) for part in parts])
    return Splitter(spec, seed, tuple(before.tolist()), tuple(rest.tolist()), first, second)


def _cuts(spec: SplitSpec, seed: int, looks: Sequence[Look], times: list[Path]) -> tuple[Cut | None, Cut | None]:
    from polygraft.data.selection import select

    rows = sum(look.rows for look in looks)
    if spec.by == "column":
        return _cut_of_column(spec, seed, looks), None
    validation, test = share_of(spec.validation, "validation"), share_of(spec.test, "test")
    if validation + test >= 1:
        raise UnfitError(f"test: {test:g} and validation {validation:g} leave no training rows.")
    if spec.by == "random":
        ranks = _rank(rows, lambda place: place >= test), _rank(rows, lambda place: place >= 1 - validation)
        found = [_random_cut(seed, rows, rank) for rank in ranks]
        return found[0], found[1]
    if spec.by == "group":
        return None, None
    # A tie takes the split of its first row: rows of an equal time are before the cut, however many there are.
    ends = round(rows * (1 - test - validation)), round(rows * (1 - test))
    cuts = [Cut(select(lambda: _read(times), end - 1)[0], rows) if end > 0 else Cut(0, 0) for end in ends]
    return cuts[0], cuts[1]


def _cut_of_column(spec: SplitSpec, seed: int, looks: Sequence[Look]) -> Cut | None:
    values = frozenset[str]().union(*(look.values for look in looks))
    drawn = _drawn(spec, values)
    for name, wanted in (("test", _wanted(spec.test)), ("validation", [] if drawn else _wanted(spec.validation))):
        if unknown := [text for text in wanted if text not in values]:
            some = ", ".join(f"'{value}'" for value in sorted(values)[:8])
            raise UnfitError(f"{name}: no row of '{spec.column}' is '{unknown[0]}'. Its values are {some}.")
    if not drawn:
        return None
    rest, share = sum(look.rest for look in looks), share_of(spec.validation, "validation")
    return _random_cut(seed, rest, _rank(rest, lambda place: place >= share))


def _drawn(spec: SplitSpec, values: frozenset[str]) -> bool:
    """Whether validation is a share, and no value of the column."""
    share = spec.validation
    return (
        isinstance(share, int | float)
        and not isinstance(share, bool)
        and 0 <= share < 1
        and text_of(share) not in values
    )


def _wanted(said: object) -> list[str]:
    return [text_of(each) for each in (said if isinstance(said, tuple | list) else (said,))]


def _marked(spec: SplitSpec, column: pa.ChunkedArray) -> np.ndarray:
    """The split that the column's values say; a share among `validation` marks no row."""
    values, indices = values_of(column)
    parts = np.full(len(column), TRAINING, np.uint8)
    for said, part in ((spec.validation, VALIDATION), (spec.test, TEST)):
        parts[np.isin(indices, [values.index(text) for text in _wanted(said) if text in values])] = part
    return parts


def _parts(test: np.ndarray, validation: np.ndarray) -> np.ndarray:
    return np.where(test, TEST, np.where(validation, VALIDATION, TRAINING)).astype(np.uint8)


def _beyond(cut: Cut | None, keys: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    return cut.beyond(keys, numbers) if cut else np.zeros(len(keys), bool)


def _rank(rows: int, beyond: Callable[[float], bool]) -> int:
    """The first of the ranks 0 to rows whose place in [0, 1) is beyond."""
    low, high = 0, rows
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if beyond((middle + 0.5) / rows) else (middle + 1, high)
    return low


def _random_cut(seed: int, rows: int, rank: int) -> Cut:
    """Where the row of this rank stands in the random order of so many rows; behind all when there is no such row."""
    from polygraft.data.selection import select

    def keys() -> Iterator[np.ndarray]:
        for start in range(0, rows, _AT_ONCE):
            yield random_keys(seed, np.arange(start, min(start + _AT_ONCE, rows)))

    return Cut(*select(keys, rank)) if rank < rows else Cut(2**64 - 1, rows)


def random_keys(seed: int, numbers: np.ndarray) -> np.ndarray:
    """uint64 [rows]: in the order of the numbers that `splits.split` draws."""
    return (uniform(seed, numbers.astype(np.uint64)) * 2.0**64).astype(np.uint64)


def time_keys(column: pa.ChunkedArray) -> np.ndarray:
    """uint64 [rows]: in the order of the column's times. Raises UnfitError for a null, and for texts."""
    if column.null_count:
        raise UnfitError(f"column: {column.null_count:,} rows have no time, so they belong nowhere.")
    type_ = column.type
    if pa.types.is_floating(type_):
        bits = np.asarray(column.cast(pa.float64()), np.float64) + 0.0  # -0.0 and 0.0 are one time
        words = bits.view(np.uint64)
        return np.where(words >> np.uint64(63), ~words, words | np.uint64(1 << 63))
    if pa.types.is_integer(type_) or pa.types.is_temporal(type_):
        ticks = column.cast(pa.int32()) if type_.bit_width == 32 and pa.types.is_temporal(type_) else column
        return np.asarray(ticks.cast(pa.int64()), np.int64).view(np.uint64) ^ np.uint64(1 << 63)
    raise UnfitError(
        f"column: times of type {type_} are compared in memory alone. Write them as timestamps, or raise memory."
    )


def times_file(scratch: Path, part: Part) -> Path:
    """Where a part's times are laid aside."""
    return scratch / f"times-{part.number:05}.bin"


def _read(files: list[Path]) -> Iterator[np.ndarray]:
    for file in files:
        with file.open("rb") as source:
            while len(keys := np.fromfile(source, np.uint64, _AT_ONCE)):
                yield keys
