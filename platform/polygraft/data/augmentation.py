"""Augmentation of training images by counted chance: shifts, crops, mirrors, and mixup (Zhang et al. 2018, https://arxiv.org/abs/1710.09412)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from polygraft.core.seeding import numpy_generator

_BLOCK = 4096  # positions whose chance is drawn at once


@dataclass(frozen=True)
class Moves:
    """What becomes of some images. rows: int64 [n]; moves: int64 [n, 3], top, left, mirrored; shares: float32 [n]."""

    rows: np.ndarray
    moves: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True)
class Places:
    """Where training rows stand, which decides what happens to them.

    spans: (first, last) positions, ascending, in the endless line of the table's rows. training: int64, its training rows.
    """

    seed: int
    table: str
    spans: Sequence[tuple[int, int]]
    training: np.ndarray

    @property
    def positions(self) -> np.ndarray:
        """int64 [rows]."""
        return np.concatenate([np.arange(*span) for span in self.spans])


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a table's training images; a pure function of (seed, table, position in the endless line of rows).

    size: (height, width) of what is drawn. stored: that of the images; a smaller `size` is a window of them, at a place by
    chance (in evaluation the middle one). shift: by how many pixels at most the window moves beyond that, each way.
    mirror: whether half of the images are mirrored left to right.
    mixup: alpha of the Beta distribution; 0 mixes nothing. An image is lam of itself and 1 - lam of another training row, with
    lam from Beta(alpha + 1, alpha), and keeps its own labels: the expected loss is that of the paper, which mixes the labels
    by lam from Beta(alpha, alpha), for every loss that is linear in the label (Huszar 2017,
    https://www.inference.vc/mixup-data-dependent-data-augmentation/). So no objective need know of it, and no row of a batch
    depends on another.
    """

    stored: tuple[int, int]
    size: tuple[int, int]
    shift: int = 0
    mirror: bool = False
    mixup: float = 0.0
    _drawn: dict[tuple[int, str, int], tuple[np.ndarray, ...]] = field(default_factory=dict, compare=False, repr=False)

    def still(self, rows: np.ndarray) -> tuple[Moves]:
        """Evaluation: the middle window, as it is."""
        moves = np.zeros((len(rows), 3), np.int64)
        moves[:, :2] = [(of - to) // 2 for of, to in zip(self.stored, self.size, strict=True)]
        return (Moves(rows, moves, np.ones(len(rows), np.float32)),)

    def drawn(self, rows: np.ndarray, places: Places) -> tuple[Moves, ...]:
        """Training: the images of `rows` (int64 [n]), which stand at these places, and with mixup the ones mixed in."""
        own, other, where, lam = (np.concatenate(parts) for parts in zip(*self._chances(places), strict=True))
        if not self.mixup:
            return (Moves(rows, own, np.ones(len(rows), np.float32)),)
        partners = places.training[(where * len(places.training)).astype(np.int64)]
        share = lam.astype(np.float32)
        return Moves(rows, own, share), Moves(partners, other, 1 - share)

    def _chances(self, places: Places) -> Iterator[tuple[np.ndarray, ...]]:
        """Block by block of the positions: moves of the image and of its partner, where the partner is, lam."""
        positions = places.positions
        blocks, starts = np.unique(positions // _BLOCK, return_index=True)
        for block, some in zip(blocks.tolist(), np.split(positions, starts[1:]), strict=True):
            at = some - block * _BLOCK
            yield tuple(each[at] for each in self._block(places.seed, places.table, block))

    def _block(self, seed: int, table: str, block: int) -> tuple[np.ndarray, ...]:
        key = (seed, table, block)
        if key not in self._drawn:
            while len(self._drawn) > 3:
                del self._drawn[next(iter(self._drawn))]
            chance = numpy_generator(seed, "augmentation", table, block)
            own, other = self._moves(chance), self._moves(chance)
            lam = chance.beta(self.mixup + 1, self.mixup, _BLOCK) if self.mixup else np.ones(_BLOCK)
            self._drawn[key] = (own, other, chance.random(_BLOCK), lam)
        return self._drawn[key]

    def _moves(self, chance: np.random.Generator) -> np.ndarray:
        room = [of - to for of, to in zip(self.stored, self.size, strict=True)]
        place = [chance.integers(-self.shift, free + self.shift, _BLOCK, endpoint=True) for free in room]
        mirrored = chance.integers(0, 2, _BLOCK) if self.mirror else np.zeros(_BLOCK, np.int64)
        return np.stack([*place, mirrored], 1)
