"""Items: the codes of a sequence as levels and as text, and what tells two sequences apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from polygraft.objectives.metrics.edits import edit_distances

FIRST = 2
"""The code of the first level; 0 is padding, 1 an item that is not known."""
UNKNOWN = "?"


class Items:
    """levels: in the order of their codes. join: what stands between two items of a text."""

    def __init__(self, levels: Sequence[str], join: str = " ") -> None:
        self.words = np.array(["", UNKNOWN, *map(str, levels)], dtype=object)
        self.join = join

    def texts(self, codes: Tensor) -> np.ndarray:
        """Objects [rows]: the items of codes [rows, length] as a text each."""
        known = codes.cpu().numpy().astype(np.int64)
        return np.array([self.join.join(self.words[row[row > 0]]) for row in known], dtype=object)


def errors(said: Tensor, wanted: Tensor, weights: Tensor) -> dict[str, float]:
    """How far codes [rows, n] are from those wanted [rows, m]; an item that is not known is one that nobody can say.

    error_rate: edits an item wanted, over all rows (PER of phonemes, WER of words); wrong: the share of rows that are not exactly right
    (WER of pronunciations); accuracy: the share of items that are said at their place.
    """
    one, other, rows = said.cpu().numpy().astype(np.int64), wanted.cpu().numpy().astype(np.int64), weights.cpu().numpy()
    edits, items = edit_distances(one, other), (other != 0).sum(1)
    found = {"wrong": float(np.average(edits > 0, weights=rows))}
    if (total := float(rows @ items)) > 0:
        shared = min(one.shape[1], other.shape[1])
        right = ((one[:, :shared] == other[:, :shared]) & (other[:, :shared] != 0)).sum(1)
        found |= {"error_rate": float(rows @ edits) / total, "accuracy": float(rows @ right) / total}
    return found
