"""Principal components of a table's encoded rows, numbers beside one-hot categories, which are never written out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from polygraft.assembly.learners import stem_of
from polygraft.core.seeding import counter
from polygraft.data.preparation import Prepared
from polygraft.studies.encoder import Encoder
from polygraft.suite.schema import Suite
from polygraft.tracking.base import Tracker

CHUNK = 16_384
OVERSAMPLES, ITERATIONS = 8, 4
_LEAST = 1e-9  # a component of no more variance than this, of the first one's, is nothing but rounding


class PCA(Encoder):
    """The map x -> (x - mean) V, x the numbers and the indicators of the categories' levels; what the best linear autoencoder
    finds (Baldi and Hornik 1989, https://doi.org/10.1016/0893-6080(89)90014-2).

    directions: V, float32 [columns, width]. shift: mean V, [width]. starts: int64 [categories], the row of each category's level 0.
    variances: float64 [width], of the components, descending. They keep them: brought to 1, the many that are almost noise weigh
    as much as the few that tell something.
    """

    directions: Tensor
    shift: Tensor
    starts: Tensor
    variances: Tensor

    def __init__(self, directions: Tensor, shift: Tensor, starts: Tensor, variances: Tensor) -> None:
        super().__init__()
        self.width = directions.shape[1]
        self.register_buffer("directions", directions.contiguous())
        self.register_buffer("shift", shift)
        self.register_buffer("starts", starts)
        self.register_buffer("variances", variances)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """[rows, width], each of mean 0 over the rows it was fitted on."""
        rows = len(next(iter(inputs.values())))  # a batch leaves out what its table has none of
        numbers = inputs.get("numbers", self.directions.new_zeros(rows, 0))
        categories = inputs.get("categories", self.starts.new_zeros(rows, 0))
        return _times(numbers, categories, self.starts, self.directions) - self.shift

    @classmethod
    def fitted(cls, suite: Suite, table: Prepared, tracker: Tracker) -> Self:
        """As many components as the suite's stem gives features of the table, so that what reads them is as large as without."""
        return cls.of(
            table.matrices,
            table.shape.categories,
            table.splits["train"],
            width=stem_of(suite, table.name, table.shape).offer.width,
            seed=counter(suite.seed, "components"),
        )

    @classmethod
    def restored(cls, suite: Suite, table: Prepared, state: Mapping[str, Tensor]) -> Self:
        """The one that had this state."""
        return cls(**state)

    @classmethod
    def of(
        cls, inputs: Mapping[str, np.ndarray], levels: tuple[int, ...], rows: np.ndarray, *, width: int, seed: int
    ) -> Self:
        """By subspace iteration (Halko, Martinsson, Tropp 2011, https://arxiv.org/abs/0909.4061, algorithm 4.4), on `rows` alone.

        inputs: `numbers` [rows, n] and `categories` [rows, m] of codes. levels: of each category. width: at most as many components.
        """
        numbers = inputs["numbers"].shape[1]
        starts = torch.tensor([numbers + sum(levels[:i]) for i in range(len(levels))], dtype=torch.int64)
        columns = numbers + sum(levels)
        data = _Rows(inputs, starts, rows, columns)
        wide = min(width + OVERSAMPLES, columns)
        basis = torch.randn(columns, wide, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for _ in range(ITERATIONS):
            basis = torch.linalg.qr(data.covariance_times(torch.linalg.qr(basis)[0]))[0]
        variances, turned = torch.linalg.eigh(basis.T @ data.covariance_times(basis))
        kept = [k for k in range(wide - 1, -1, -1) if variances[k] > _LEAST * variances[-1]][:width]
        directions = basis @ turned[:, kept]
        return cls(directions.float(), (data.mean @ directions).float(), starts, variances[kept])


class _Rows:
    """The training rows, a chunk at a time, as the matrix X whose one-hot columns are not written out."""

    def __init__(self, inputs: Mapping[str, np.ndarray], starts: Tensor, rows: np.ndarray, columns: int) -> None:
        self._inputs, self._starts, self._rows, self._columns = inputs, starts, rows, columns
        total = sum((self._transposed(*chunk, torch.ones(len(chunk[0]), 1)) for chunk in self._chunks()), start=0)
        assert isinstance(total, Tensor)
        self.mean = total[:, 0].double() / len(rows)

    def covariance_times(self, basis: Tensor) -> Tensor:
        """(X - mean)^T (X - mean) basis / rows: float64 [columns, width]."""
        thin, shift = basis.float(), (self.mean @ basis).float()
        total = torch.zeros_like(basis)
        for numbers, categories in self._chunks():
            product = _times(numbers, categories, self._starts, thin) - shift
            total += self._transposed(numbers, categories, product)
            total -= self.mean[:, None] * product.double().sum(0)
        return total / len(self._rows)

    def _transposed(self, numbers: Tensor, categories: Tensor, product: Tensor) -> Tensor:
        """X^T product: [columns, width]."""
        found = torch.zeros(self._columns, product.shape[1])
        found[: numbers.shape[1]] = numbers.T @ product
        for start, codes in zip(self._starts.tolist(), categories.unbind(1), strict=True):
            found.index_add_(0, start + codes, product)
        return found.double()

    def _chunks(self) -> Iterator[tuple[Tensor, Tensor]]:
        for first in range(0, len(self._rows), CHUNK):
            rows = self._rows[first : first + CHUNK]
            numbers, categories = (torch.from_numpy(self._inputs[name][rows]) for name in ("numbers", "categories"))
            yield numbers, categories.long()


def _times(numbers: Tensor, categories: Tensor, starts: Tensor, matrix: Tensor) -> Tensor:
    """X matrix: [rows, width]."""
    found = numbers @ matrix[: numbers.shape[1]]
    return found + embedding_bag(categories.long() + starts, matrix, mode="sum") if len(starts) else found
