"""What follows from the directions of gradients: their cosines, their principal components, the step that treats all alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polygraft.balancing.solvers import ROUNDING, Array

COMPONENT = 2.0**-23  # share of the largest eigenvalue, for each task, that is rounding: gradients are float32


def unit(gramian: Array) -> tuple[Array, Array]:
    """Lengths [K] and cosines [K, K]; a gradient of no length has length 0 and, but with itself, cosine 0."""
    lengths = np.sqrt(np.maximum(np.diagonal(gramian), 0.0))
    lengths[lengths <= ROUNDING * lengths.max(initial=0.0)] = 0.0
    inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    cosines: Array = gramian * inverse * inverse[:, None]
    np.fill_diagonal(cosines, 1.0)
    return lengths, cosines


def components(square: Array) -> tuple[Array, Array]:
    """Eigenvalues [rank], ascending, and eigenvectors [K, rank] of a Gramian, but for those that are rounding."""
    values, vectors = np.linalg.eigh(square)
    kept = values > values.max() * len(values) * COMPONENT
    return values[kept], vectors[:, kept]


def equal_angles(cosines: Array, alive: NDArray[np.bool_]) -> Array:
    """c [K] with C c = 1 for the tasks that are alive, 0 for the others: sum_k c_k u_k has the same product with each u_k.

    By the pseudo-inverse where the unit gradients u depend on each other: least squares, and the shortest c; zeros where
    what can be reached of the ones is rounding (each gradient has its opposite).
    """
    values, vectors = components(cosines)
    reached = vectors.T @ alive.astype(np.float64)
    found: Array = (vectors / values) @ reached
    return np.where(alive & (reached @ reached > COMPONENT * len(values)), found, 0.0)


def impartial(gramian: Array) -> Array:
    """Weights [K] whose step has equally long projections onto all gradients; they sum to 1, or -1 (see `imtl_g.py`).

    1 / K if all gradients are zero; zeros if there is no such step. No weight is beyond 1000.
    """
    lengths, cosines = unit(gramian)
    if not lengths.any():
        return np.full(len(gramian), 1 / len(gramian))
    weights = equal_angles(cosines, lengths > 0) / (lengths + (lengths == 0))
    mass = np.abs(weights).sum()
    found: Array = weights / max(abs(weights.sum()), 1e-3 * mass) if mass > 0 else weights
    return found
