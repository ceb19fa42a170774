"""How well a cheap Gramian agrees with the true one, that of the shared parameters' gradients."""

from __future__ import annotations

import torch
from torch import Tensor


def cosines(gramian: Tensor) -> Tensor:
    """[K, K] from inner products; a gradient of norm 0 has cosine 0 with all others."""
    norms = gramian.diagonal().clamp(min=0).sqrt()
    scale = torch.where(norms > 0, 1 / norms, torch.zeros_like(norms))
    return (gramian * scale * scale[:, None]).clamp(-1, 1)


def pairs(square: Tensor) -> Tensor:
    """[K (K - 1) / 2]: what stands above the diagonal."""
    i, j = torch.triu_indices(len(square), len(square), 1)
    return square[i, j]


def conflict_rate(gramian: Tensor) -> float:
    """The share of pairs of tasks whose gradients point against each other; 0 for one task."""
    found = pairs(gramian)
    return float((found < 0).double().mean()) if len(found) else 0.0


def condition(gramian: Tensor) -> float:
    """Largest over smallest eigenvalue; 1e15 at most, which stands for gradients that depend on each other. 1 for no gradient."""
    values = torch.linalg.eigvalsh(gramian)
    largest = float(values[-1])
    return largest / max(float(values[0]), largest * 1e-15) if largest > 0 else 1.0


def agreement(cheap: Tensor, true: Tensor) -> dict[str, float]:
    """Compare two Gramians of the same tasks, pair of tasks by pair.

    correlation: Pearson's, of the cosines; only where there are three pairs at least and they differ.
    signs: the share of pairs whose cosines have the same sign.
    conflicts: the share of true conflicts that the cheap one sees; only where there are any.
    """
    mine, truth = pairs(cosines(cheap)), pairs(cosines(true))
    found: dict[str, float] = {}
    if not len(mine):
        return found
    found["signs"] = float((mine.sign() == truth.sign()).double().mean())
    if (truth < 0).any():
        found["conflicts"] = float((mine[truth < 0] < 0).double().mean())
    if len(mine) >= 3 and mine.std() > 0 and truth.std() > 0:
        found["correlation"] = float(torch.corrcoef(torch.stack([mine, truth]))[0, 1])
    return found
