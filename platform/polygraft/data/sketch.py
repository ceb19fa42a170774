"""A sketch of a stream of numbers: its quantiles with a rank error that is known, whatever the values and their order."""

from __future__ import annotations

import math

import numpy as np

SIZE = 8_192
"""Values of a buffer. The rank error is at most levels / (4 SIZE) of all values: below .1 % up to 2^45 of them."""


class Sketch:
    """Quantiles of float64 values without NaN, seen once: Munro and Paterson 1980 (https://doi.org/10.1016/0304-3975(80)90061-4),
    in the terms of Manku, Rajagopalan and Lindsay 1998 (https://doi.org/10.1145/276304.276342).

    A buffer of level h holds SIZE sorted values, each for 2^h of the stream. Two of a level become one of the next by keeping every
    second value; any rank is then off by at most 2^h, to one side, which side being ours to choose. Nothing is drawn by chance:
    what the sketch holds is a function of the values in their order, not of how they came in arrays. A merge depends on where the
    stream was cut, its error bound does not. Memory: 64 KB for each doubling beyond 8,192 values.

    count, low, high: of all values, exact.
    """

    def __init__(self) -> None:
        self.count = 0
        self.low, self.high = math.inf, -math.inf
        self._fresh: list[np.ndarray] = []
        self._buffers: list[np.ndarray | None] = []
        self._over = self._under = 0  # values by which an estimated rank is too high, too low at most

    @property
    def error(self) -> float:
        """How far the rank of a quantile may be off at most, as a share of the values."""
        return ((self._over + self._under) / 2 + 1) / self.count if self._over + self._under else 0.0

    def add(self, values: np.ndarray) -> None:
        """See these values; they are copied."""
        if not len(values):
            return
        self.count += len(values)
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        self._take(values.astype(np.float64))

    def merge(self, other: Sketch) -> None:
        """See all that another has seen, which must not be used any more."""
        self.count += other.count
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self._over, self._under = self._over + other._over, self._under + other._under
        for level, buffer in enumerate(other._buffers):
            if buffer is not None:
                self._push(buffer, level)
        for values in other._fresh:
            self._take(values)

    def quantiles(self, fractions: list[float]) -> list[float]:
        """Interpolated like exact ones; exact for 0 and 1, and for all of few values."""
        values, weights = self.weighted()
        ends = np.cumsum(weights)

        def at_rank(rank: int) -> float:
            if rank in (0, self.count - 1):
                return self.low if rank == 0 else self.high
            place = rank + (self._over - self._under) / 2  # what estimates are off by, taken in the middle
            return float(values[min(int(np.searchsorted(ends, place, "right")), len(values) - 1)])

        return [interpolate(fraction, self.count, at_rank) for fraction in fractions]

    def weighted(self) -> tuple[np.ndarray, np.ndarray]:
        """(sorted values, for how many values of the stream each stands): float64, int64."""
        held = [(buffer, 1 << level) for level, buffer in enumerate(self._buffers) if buffer is not None]
        held += [(values, 1) for values in self._fresh]
        values = np.concatenate([np.empty(0), *(each for each, _ in held)])
        weights = np.concatenate([np.empty(0, np.int64), *(np.full(len(each), weight) for each, weight in held)])
        order = np.argsort(values, kind="stable")
        return values[order], weights[order]

    def _take(self, values: np.ndarray) -> None:
        self._fresh.append(values)
        if sum(map(len, self._fresh)) < SIZE:
            return
        together = np.concatenate(self._fresh)
        whole = len(together) - len(together) % SIZE
        self._fresh = [together[whole:].copy()] if whole < len(together) else []
        for start in range(0, whole, SIZE):
            self._push(np.sort(together[start : start + SIZE]), 0)

    def _push(self, buffer: np.ndarray, level: int) -> None:
        from polygraft.data.kernels.sketch import collapse

        self._buffers += [None] * (level + 1 - len(self._buffers))
        while (held := self._buffers[level]) is not None:
            second, out = int(self._over > self._under), np.empty(SIZE)
            collapse(held, buffer, second, out)
            # Of an odd number of values below, the pair's first is counted for both; or its second, for neither.
            self._under, self._over = self._under + second * 2**level, self._over + (1 - second) * 2**level
            self._buffers[level] = None
            buffer, level = out, level + 1
            self._buffers += [None] * (level + 1 - len(self._buffers))
        self._buffers[level] = buffer


def interpolate(fraction: float, count: int, at_rank) -> float:  # type: ignore[no-untyped-def]
    """The quantile between the two values next to its place, linearly: numpy's and R's default. at_rank: the value of a rank."""
    place = fraction * (count - 1)
    rank = math.floor(place)
    low = float(at_rank(rank))
    high = float(at_rank(min(rank + 1, count - 1)))
    return low + (place - rank) * (high - low) if high != low else low
