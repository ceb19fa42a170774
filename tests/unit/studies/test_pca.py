"""Principal components against numpy's own, of a matrix that is written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from polygraft.studies.pca import PCA

LEVELS = (5, 3)


@pytest.fixture(scope="module")
def table() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """(inputs, training rows, the matrix with one-hot columns)."""
    chance = np.random.default_rng(0)
    hidden = chance.normal(size=(900, 2))
    numbers = (hidden @ chance.normal(size=(2, 6)) + 0.3 * chance.normal(size=(900, 6))).astype(np.float32)
    codes = np.stack([np.digitize(hidden[:, 0], [-1, -0.3, 0.3, 1]), chance.integers(0, 3, 900)], 1).astype(np.int32)
    one_hot = [np.eye(count, dtype=np.float32)[codes[:, i]] for i, count in enumerate(LEVELS)]
    rows = np.flatnonzero(chance.random(900) < 0.7)
    return {"numbers": numbers, "categories": codes}, rows, np.concatenate([numbers, *one_hot], 1)


def tensors(arrays: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def test_they_are_those_of_the_written_out_matrix(table) -> None:
    inputs, rows, matrix = table
    found = PCA.of(inputs, LEVELS, rows, width=4, seed=0)
    centred = matrix[rows] - matrix[rows].mean(0)
    _, singular, right = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(found.variances.numpy(), singular[:4] ** 2 / len(rows), rtol=1e-5)
    mine = found(tensors(inputs)).numpy()
    wanted = (matrix - matrix[rows].mean(0)) @ right[:4].T
    np.testing.assert_allclose(np.abs(mine), np.abs(wanted), atol=2e-3)


def test_they_have_mean_zero_and_their_own_variance_over_the_training_rows_alone(table) -> None:
    inputs, rows, _ = table
    found = PCA.of(inputs, LEVELS, rows, width=3, seed=0)
    scores = found(tensors({name: each[rows] for name, each in inputs.items()})).double()
    torch.testing.assert_close(scores.mean(0), torch.zeros(3, dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(scores.T @ scores / len(rows), torch.diag(found.variances), atol=1e-4, rtol=1e-4)


def test_there_are_no_more_than_the_rank(table) -> None:
    """6 numbers and 5 + 3 levels whose indicators sum to one: rank 12."""
    inputs, rows, _ = table
    assert len(PCA.of(inputs, LEVELS, rows, width=128, seed=0).variances) == 12


def test_a_table_without_categories_and_one_without_numbers_have_them_too(table) -> None:
    inputs, rows, matrix = table
    none = {"numbers": inputs["numbers"], "categories": np.empty((900, 0), np.int32)}
    found = PCA.of(none, (), rows, width=2, seed=0)
    assert found(tensors({"numbers": none["numbers"]})).shape == (900, 2)
    only = {"numbers": np.empty((900, 0), np.float32), "categories": inputs["categories"]}
    wanted = np.linalg.svd(matrix[rows, 6:] - matrix[rows, 6:].mean(0))[1][:2] ** 2 / len(rows)
    np.testing.assert_allclose(PCA.of(only, LEVELS, rows, width=2, seed=0).variances, wanted, rtol=1e-4)
