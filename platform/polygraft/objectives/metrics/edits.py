"""Edit distance (Levenshtein 1966), by the recurrence of Wagner and Fischer 1974 (https://doi.org/10.1145/321796.321811), of many pairs of sequences at once."""

from __future__ import annotations

import numpy as np


def edit_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """int64 [rows]: insertions, deletions and substitutions between codes [rows, n] and [rows, m]; 0 is padding, behind all else.

    A line of the table for all rows at once: d_j = min(of the line before, d_{j-1} + 1) is a running minimum of d_j - j.
    """
    places = np.arange(other.shape[1] + 1)
    lengths, columns = (one != 0).sum(1), (other != 0).sum(1)[:, None]
    line = np.broadcast_to(places, (len(one), len(places)))
    found = np.take_along_axis(line, columns, 1)[:, 0]
    for place in range(one.shape[1]):
        above = line + 1
        diagonal = line[:, :-1] + (one[:, place, None] != other)
        best = np.concatenate([above[:, :1], np.minimum(above[:, 1:], diagonal)], 1)
        line = np.minimum.accumulate(best - places, 1) + places
        found = np.where(lengths == place + 1, np.take_along_axis(line, columns, 1)[:, 0], found)
    return found
