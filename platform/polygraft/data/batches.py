"""Batches: the rows of each step's shards for training, and fixed chunks in table order for evaluation."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import cache

import numpy as np
import torch
from torch import Tensor

from polygraft.core.batch import Batch
from polygraft.core.errors import Fault, UserError
from polygraft.data.augmentation import Places
from polygraft.data.base import Act, ShardBatches, Stream
from polygraft.data.images import Images
from polygraft.data.mixing.all import All
from polygraft.data.mixing.base import Mixture
from polygraft.data.prefetch import prefetched
from polygraft.data.preparation import Prepared
from polygraft.data.ragged import Encoded, Ragged, dense
from polygraft.data.sampling import Order, shard_bounds
from polygraft.data.turns import Turns

_ROWS_AHEAD = 16_384  # rows that the thread draws at once: steps are cut out of them as views
_STEPS_AHEAD = 32
_GULPS_AHEAD = 2


class TableStream(Stream):
    """The training batches of some tables; pure in (seed, step), whatever the number of shards and workers, but for a mixture
    with history, which is also a function of the losses that were observed.

    tables: by name. batch_size: rows a step of EACH table that it takes, over all workers. shards: those of this worker, a
    range of step 1 within range(num_shards). mixture: which tables a step takes; absent, all.
    waited_s: seconds for which the consumer found no batch ready.
    Raises UserError when a table has fewer training rows than batch_size.
    """

    def __init__(
        self,
        tables: Mapping[str, Prepared],
        batch_size: int,
        *,
        seed: int,
        shards: range,
        num_shards: int,
        mixture: Mixture | None = None,
    ) -> None:
        assert shards.step == 1
        assert 0 <= shards.start < shards.stop <= num_shards
        rows = {name: len(table.splits["train"]) for name, table in tables.items()}
        if faults := batch_size_faults(rows, batch_size, num_shards):
            raise UserError(faults)
        self.batch_size, self.shards = batch_size, shards
        self.waited_s = 0.0
        self.turns = Turns(tuple(tables), mixture or All(tuple(rows.values())), seed)
        bounds = shard_bounds(batch_size, num_shards)
        self._first, self._last = bounds[shards.start], bounds[shards.stop]
        self._sizes = [bounds[shard + 1] - bounds[shard] for shard in shards]
        self._orders = {
            name: Order(seed, name, table.splits["train"], table.shares, table.buckets(batch_size))
            for name, table in tables.items()
        }
        self._drawers = {name: Drawer(table) for name, table in tables.items()}

    def epoch_steps(self, table: str) -> int:
        """Turns in which `table` has given as many rows as it has training rows, as a rule each once: an epoch, rounded up."""
        return -(-len(self._orders[table].rows) // self.batch_size)

    def batches(self, cursor: int, act: Act | None = None) -> Iterator[ShardBatches]:
        """The batches of steps cursor, cursor + 1, ...; close the iterator to end its thread.

        Of a mixture with history each step is drawn when it is asked for, after the one before was observed.
        """
        if self.turns.remembers:
            for step in itertools.count(cursor):
                yield self._now(step)
        with closing(prefetched(self._gulps(cursor), _GULPS_AHEAD, self._wait)) as gulps:  # type: ignore[type-var]
            for gulp in gulps:
                yield from gulp

    def observe(self, step: int, feedback: Mapping[str, float]) -> None:
        """Tell the mixture the step's losses by task."""
        self.turns.observe(step, feedback)

    def told(self, step: int) -> dict[str, float]:
        """How often each table was taken, and with what chance."""
        return {f"mixture/{name}": value for name, value in self.turns.told(step).items()}

    def state(self) -> dict[str, Tensor]:
        """The mixture's history; empty for one without."""
        return self.turns.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a saved history; strict."""
        self.turns.load(state)

    def _wait(self, seconds: float) -> None:
        self.waited_s += seconds

    def _now(self, step: int) -> ShardBatches:
        """The batches of one step, drawn while the consumer waits."""
        start = time.perf_counter()
        (batches,) = self._cut_steps(self.turns.count(range(step)), self.turns.taken(range(step, step + 1)))
        self._wait(time.perf_counter() - start)
        return batches

    def _gulps(self, cursor: int) -> Iterator[list[ShardBatches]]:
        """Several steps at a time: one draw for all of them costs little more than for one."""
        size = self._last - self._first
        at_once = max(1, min(_STEPS_AHEAD, _ROWS_AHEAD // max(size, 1)))
        steps = 1 if cursor == 0 else at_once  # the very first step should not wait for others
        before = self.turns.count(range(cursor))
        while True:
            taken = self.turns.taken(range(cursor, cursor + steps))
            yield self._cut_steps(before, taken)
            before, cursor, steps = before + taken.sum(0), cursor + steps, at_once

    def _cut_steps(self, before: np.ndarray, taken: np.ndarray) -> list[ShardBatches]:
        """The batches of steps that take these tables (bool [steps, tables]), each table's turns so far being `before`."""
        first, turns = before.tolist(), taken.sum(0).tolist()
        names = self.turns.tables
        drawn = {
            name: iter(self._draw(name, range(first[k], first[k] + turns[k])))
            for k, name in enumerate(names)
            if turns[k]
        }
        return [
            [{name: next(drawn[name]) for name, mine in zip(names, step, strict=True) if mine} for _ in self.shards]
            for step in taken.tolist()
        ]

    def _draw(self, table: str, turns: range) -> list[Batch]:
        """A batch for each of this worker's shards of each of the table's turns."""
        order = self._orders[table]
        if self._last - self._first == self.batch_size:  # the only worker: the turns' positions follow one another
            spans = [(turns.start * self.batch_size, turns.stop * self.batch_size)]
        else:
            starts = [turn * self.batch_size for turn in turns]
            spans = [(start + self._first, start + self._last) for start in starts]
        rows = np.concatenate([order.take(*span) for span in spans])
        places = Places(order.seed, table, spans, order.rows)
        return self._drawers[table].draw(rows, self._sizes * len(turns), places)


class Drawer:
    """Takes rows out of a prepared table, into memory of their own."""

    def __init__(self, table: Prepared) -> None:
        from polygraft.data.kernels.gather import gather

        self._gather = gather
        plain = {name: each for name, each in table.inputs.items() if isinstance(each, np.ndarray)}
        self._inputs = {name: each for name, each in plain.items() if each.shape[1]}
        self._ragged = {name: each for name, each in table.inputs.items() if isinstance(each, Ragged)}
        self._images = {name: each for name, each in table.inputs.items() if isinstance(each, Images)}
        self._targets = {task: each for task, each in table.targets.items() if isinstance(each, np.ndarray)}
        self._sequences = {task: each for task, each in table.targets.items() if isinstance(each, Ragged)}
        # A table without weights, or a task without missing labels, has ones everywhere: all batches share them.
        self._ones = cache(torch.ones)
        self._trues = cache(lambda size: torch.ones(size, dtype=torch.bool))
        self._weights = None if (table.weights == 1).all() else table.weights
        self._present = {task: None if present.all() else present for task, present in table.present.items()}

    def draw(self, rows: np.ndarray, sizes: list[int], places: Places | None = None) -> list[Batch]:
        """One batch for each of `sizes`, of the next so many of `rows` (int64); together they are views of one copy.

        Rows of different lengths are padded batch by batch: what a shard's rows come to depends on these rows alone.
        places: where in training these rows stand, which decides how images are augmented; absent, they are not.
        """
        inputs = {name: self._cut(array, rows, sizes) for name, array in self._inputs.items()}
        for name, images in self._images.items():
            drawn = images.still(rows) if places is None else images.moved(rows, places)
            inputs[name] = torch.from_numpy(drawn).split(sizes)
        targets = {task: self._cut(array, rows, sizes) for task, array in self._targets.items()}
        present = {task: self._cut(array, rows, sizes) for task, array in self._present.items()}
        weights, numbers = self._cut(self._weights, rows, sizes), torch.from_numpy(rows).split(sizes)
        padded = [tensors(dense(self._ragged, each.numpy())) if self._ragged else {} for each in numbers]
        return [
            Batch(
                inputs={name: each[i] for name, each in inputs.items()} | padded[i],
                targets={task: each[i] for task, each in targets.items()} | self._padded(numbers[i].numpy()),
                present={task: tensors[i] if tensors else self._trues(size) for task, tensors in present.items()},
                weights=weights[i] if weights else self._ones(size),
                rows=numbers[i],
            )
            for i, size in enumerate(sizes)
        ]

    def _padded(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Labels of different lengths, of one shard's rows (int64); padding is 0."""
        return {task: torch.from_numpy(each.padded(rows)[0]) for task, each in self._sequences.items()}

    def _cut(self, array: np.ndarray | None, rows: np.ndarray, sizes: list[int]) -> tuple[Tensor, ...]:
        return torch.from_numpy(self._take(array, rows)).split(sizes) if array is not None else ()

    def _take(self, array: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """array[rows]: by the kernel for words of 32 and 64 bits, whatever their type."""
        if array.dtype.itemsize % 4:
            return array[rows]
        words = array.reshape(len(array), -1).view(np.uint32)
        out = np.empty((len(rows), words.shape[1]), np.uint32)
        self._gather(words, rows, out)
        return out.view(array.dtype).reshape(len(rows), *array.shape[1:])


def tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """The same memory, as torch sees it."""
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def chunked(inputs: Mapping[str, Encoded], rows_per_chunk: int) -> Iterator[Batch]:
    """Encoded rows without targets, so many at a time; the last batch may be smaller."""
    count = len(next(iter(inputs.values())))
    for first in range(0, count, rows_per_chunk):
        yield Batch(tensors(dense(inputs, np.arange(first, min(first + rows_per_chunk, count)))))


def batch_size_faults(rows: Mapping[str, int], batch_size: int, num_shards: int) -> list[Fault]:
    """What is wrong with a batch size for tables of so many training rows."""
    faults = [
        Fault(
            "",
            f"train.batch_size: {batch_size:,} is more than the {count:,} training rows of '{name}'. Take at most that.",
        )
        for name, count in rows.items()
        if batch_size > count
    ]
    if batch_size < num_shards:
        faults.append(Fault("", f"train.batch_size: {batch_size:,} rows cannot be cut into {num_shards} shards."))
    return faults


def num_chunks(prepared: Prepared, split: str, rows_per_chunk: int) -> int:
    """Chunks of the split's grid, which depends on nothing else."""
    return -(-len(prepared.splits[split]) // rows_per_chunk)


def sequential(prepared: Prepared, split: str, rows_per_chunk: int, *, chunks: range | None = None) -> Iterator[Batch]:
    """The split's rows in the table's order, by the chunks of a fixed grid: a worker takes a range of them, or all.

    The last chunk of the grid may be smaller.
    """
    rows = prepared.splits[split]
    drawer = Drawer(prepared)
    for chunk in chunks if chunks is not None else range(num_chunks(prepared, split, rows_per_chunk)):
        some = rows[chunk * rows_per_chunk : (chunk + 1) * rows_per_chunk]
        yield drawer.draw(some, [len(some)])[0]
