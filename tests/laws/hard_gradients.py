"""Gradients that are hard on a solver: duplicated, opposed, dependent, zero, one of them a million times longer."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

values = st.floats(-100, 100, width=32).map(lambda x: 0.0 if abs(x) < 1e-2 else x)  # below 1e-12 of the longest is zero
plain = st.tuples(st.integers(1, 12), st.integers(1, 8)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=values)
)


@st.composite
def hard(draw: st.DrawFn) -> np.ndarray:
    """[K, columns], K <= 12, with up to two misfortunes."""
    rows = draw(plain)
    for kind in draw(st.lists(st.sampled_from(["twice", "against", "zero", "long", "near"]), max_size=2, unique=True)):
        k, j = (draw(st.integers(0, len(rows) - 1)) for _ in range(2))
        rows = rows.copy()
        if kind == "twice":
            rows[k] = rows[j]
        elif kind == "against":
            rows[k] = -rows[j]
        elif kind == "zero":
            rows[k] = 0
        elif kind == "long":
            rows[k] *= 1e6
        else:
            rows[k] = rows[j] * (1 + 1e-7 * np.arange(rows.shape[1]))
    return rows


def lengths(rows: np.ndarray) -> np.ndarray:
    """[K], 1 where there is none."""
    found = np.linalg.norm(rows, axis=1)
    return np.where(found > 1e-12 * found.max(initial=0), found, 1.0)
