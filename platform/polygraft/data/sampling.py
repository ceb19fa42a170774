"""Sampling: which rows a step takes, as a pure function of (seed, table, step); nothing is remembered, so resuming is a seek.

The training rows are laid out as an endless line, one permutation of them after another; global batch t is the positions
t * batch_size to (t + 1) * batch_size of it, and shard s of S the positions s * batch_size // S to
(s + 1) * batch_size // S of that. Every row comes exactly once an epoch, every batch is full.

Where rows come by chance, an epoch has as many draws as there are training rows, in an order of its own: a row of share p comes
floor(p * rows) or ceil(p * rows) times, by systematic resampling (Kitagawa 1996, https://doi.org/10.2307/1390750, appendix): the
shares lie end to end on a line, and points at equal distances, moved together by chance, say which are taken.

Where rows of like length are wanted together, the rows of so many whole batches of an epoch are sorted by length, cut into
batches again, and these stand in an order of their own: every row still comes once an epoch, in whichever batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from polygraft.core.seeding import counter


def shard_bounds(batch_size: int, num_shards: int) -> list[int]:
    """[num_shards + 1]: where in the global batch each shard starts, and its end."""
    return [shard * batch_size // num_shards for shard in range(num_shards + 1)]


@dataclass(frozen=True)
class Buckets:
    """Batches of rows of like length. lengths: int64, of every row of the table. pool: batches whose rows are sorted together."""

    lengths: np.ndarray
    batch_size: int
    pool: int

    def sort(self, order: np.ndarray, first: int, seed: int, *words: int | str) -> None:
        """Sort the order of an epoch, which begins at position `first` of the line, in place; seed, words: what chance is drawn by.

        A batch that two epochs share is left as it is.
        """
        from polygraft.data.kernels.gather import shuffle

        begin = -first % self.batch_size
        whole = (len(order) - begin) // self.batch_size
        for batch in range(0, whole, self.pool):
            some = order[begin + batch * self.batch_size :][: min(self.pool, whole - batch) * self.batch_size]
            batches = np.arange(len(some) // self.batch_size)
            shuffle(batches, counter(seed, *words, batch))  # else every pool would go from short to long
            by_length = some[np.argsort(self.lengths[some], kind="stable")]
            some[:] = by_length.reshape(-1, self.batch_size)[batches].ravel()


@dataclass
class Order:
    """The endless line of one table's training rows.

    rows: int64, the numbers of the training rows in the table, ascending. shares: float64 [rows], of each, where it by chance; None: each once an epoch. buckets: how rows of like length are brought together, if they are.
    """

    seed: int
    table: str
    rows: np.ndarray
    shares: np.ndarray | None = None
    buckets: Buckets | None = None
    _epochs: dict[int, np.ndarray] = field(default_factory=dict)  # the last two permutations that were looked at

    def epoch(self, number: int) -> np.ndarray:
        """[training rows]: the row numbers in the order of epoch `number`, of 32 bits where they fit: half the memory."""
        from polygraft.data.kernels.gather import shuffle

        if number not in self._epochs:
            while len(self._epochs) > 1:
                del self._epochs[min(self._epochs)]
            order = self._drawn(number).astype(np.int32 if self.rows[-1] < 2**31 else np.int64)
            shuffle(order, counter(self.seed, "epoch", self.table, number))
            if self.buckets:
                self.buckets.sort(order, number * len(order), self.seed, "buckets", self.table, number)
            self._epochs[number] = order
        return self._epochs[number]

    def _drawn(self, number: int) -> np.ndarray:
        """[training rows]: those of epoch `number`, ascending; several times, or not at all, where they come by chance."""
        if self.shares is None:
            return self.rows
        line = np.cumsum(self.shares)
        start = counter(self.seed, "draws", self.table, number) / 2**63
        points = (np.arange(len(self.rows)) + start) * (line[-1] / len(self.rows))
        # Rounding may put the last point on the end of the line, beyond which there is no row.
        last = int(np.flatnonzero(self.shares)[-1])
        return self.rows[np.minimum(np.searchsorted(line, points, side="right"), last)]

    def take(self, first: int, last: int) -> np.ndarray:
        """int64 [last - first]: the row numbers at these positions of the line."""
        taken = []
        while first < last:
            epoch, at = divmod(first, len(self.rows))
            taken.append(self.epoch(epoch)[at : at + last - first])
            first += len(taken[-1])
        return np.concatenate(taken, dtype=np.int64)
