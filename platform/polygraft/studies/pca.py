"""Principal components of a table's encoded rows, numbers beside one-hot categories, which are never written out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

CHUNK = 16_384
OVERSAMPLES, ITERATIONS = 8, 4
_LEAST = 1e-9  # a component of no more variance than this, of the first one's, is nothing but rounding


@dataclass(frozen=True)
class Components:
    """The map x -> (x - mean) V / deviation, x the numbers and the indicators of the categories' levels.

    directions: float32 [columns, width], V / deviation. shift: [width], mean V / deviation. starts: int64 [categories], the row
    of each category's level 0. variances: float64 [width], of the components, descending.
    """

    directions: Tensor
    shift: Tensor
    starts: Tensor
    variances: Tensor

    def __call__(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """[rows, width], each of mean 0 and variance 1 over the rows it was fitted on."""
        return _times(numbers, categories, self.starts, self.directions) - self.shift

    def first(self, width: int) -> Components:
        """The first `width` of them."""
        return Components(self.directions[:, :width], self.shift[:width], self.starts, self.variances[:width])


def principal_components(
    inputs: Mapping[str, np.ndarray], levels: tuple[int, ...], rows: np.ndarray, *, width: int, seed: int
) -> Components:
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
    directions = basis @ turned[:, kept] / variances[kept].sqrt()
    return Components(directions.float(), (data.mean @ directions).float(), starts, variances[kept])


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
