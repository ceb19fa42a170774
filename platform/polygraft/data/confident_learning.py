"""Confident learning, Northcutt, Jiang and Chuang 2021 (https://arxiv.org/abs/1911.00068): which labels are likely wrong.

Given labels and what a model that never saw them says of each row. Sizes: n rows, each with a label, and m classes; labels are
int64 [n] in 0 .. m - 1, probabilities float64 [n, m] and out of fold (`out_of_fold.py`).
"""

from __future__ import annotations

import numpy as np


def thresholds(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Equation 2: float64 [m], the mean probability of class j over the rows labelled j; infinite where no row is."""
    found = np.full(probabilities.shape[1], np.inf)
    for j in range(len(found)):
        if (mine := labels == j).any():
            found[j] = probabilities[mine, j].mean()
    return found


def confident_joint(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Equation 1: int64 [m, m], the rows that are labelled i and confidently are of class j.

    A row is confidently of the likeliest of the classes whose threshold its probability reaches; of none, it is not counted.
    """
    confident = np.where(probabilities >= thresholds(labels, probabilities), probabilities, -np.inf)
    counted = np.isfinite(confident).any(1)
    m = probabilities.shape[1]
    cells = labels[counted] * m + confident[counted].argmax(1)
    return np.bincount(cells, minlength=m * m).reshape(m, m)


def joint(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Equation 3, times n: float64 [m, m], how many rows of label i are of class j; line i sums to the rows labelled i.

    Where no row of a label is confidently of any class, nothing is known of its noise, and it is taken to have none.
    """
    counts = confident_joint(labels, probabilities).astype(np.float64)
    rows = np.bincount(labels, minlength=len(counts))
    known = counts.sum(1, keepdims=True)
    silent = known[:, 0] == 0
    counts[silent, silent] = known[silent, 0] = 1
    return counts / known * rows[:, None]


def suspects(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Bool [n]: the rows whose label is likely wrong, by section 3.2's method 4, prune by noise rate.

    For each i and each other j, as many rows of label i as the joint says are of class j, rounded: those by whose
    probabilities j is ahead of i the most; of equals the earlier row. Unlike the paper, a row for which j is not ahead of i at
    all is never taken: its label is what the model itself would say.
    """
    numbers = np.rint(joint(labels, probabilities)).astype(np.int64)
    found = np.zeros(len(labels), bool)
    for i in range(len(numbers)):
        rows = np.flatnonzero(labels == i)
        for j in np.flatnonzero(numbers[i]):
            if i != j:
                margin = probabilities[rows, j] - probabilities[rows, i]
                worst = np.argsort(-margin, kind="stable")[: numbers[i, j]]
                found[rows[worst[margin[worst] > 0]]] = True
    return found
