"""Filling missing numbers from the nearest of 2,000 training rows, against scikit-learn's KNNImputer on the same rows.

    OMP_NUM_THREADS=1 python tests/bench/neighbours.py [--rows 20000] [--repeats 3]

20 columns, a twentieth of all values missing, 5 neighbours; both are fitted before. Repetitions are interleaved; medians are printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from sklearn.impute import KNNImputer

from polygraft.data.neighbours import Neighbours

REFERENCES, WIDE, COUNT, SHARE = 2000, 20, 5, 0.05


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    said = parser.parse_args()
    chance = np.random.default_rng(0)
    values, known = (
        chance.normal(size=(REFERENCES, WIDE)).astype(np.float32),
        chance.random((REFERENCES, WIDE)) >= SHARE,
    )
    numbers = chance.normal(size=(said.rows, WIDE)).astype(np.float32)
    missing = chance.random(numbers.shape) < SHARE
    ours = Neighbours(values, known, np.full(WIDE, COUNT))
    peer = KNNImputer(n_neighbors=COUNT).fit(np.where(known, values, np.nan))
    holes = np.where(missing, np.nan, numbers)
    filled = numbers.copy()
    ours.fill(filled, missing)
    assert np.allclose(filled[:500], peer.transform(holes[:500]), atol=1e-5)
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(said.repeats):
        again = numbers.copy()
        times[0].append(seconds(lambda again=again: ours.fill(again, missing)))  # type: ignore[misc]
        times[1].append(seconds(lambda: peer.transform(holes)))
    mine, its = map(statistics.median, times)
    rows = int(missing.any(1).sum())
    print(
        f"neighbours  {rows:,} rows filled: {mine / rows * 1e6:.0f} us a row, scikit-learn {its / rows * 1e6:.0f} us, {its / mine:.1f}x"
    )


if __name__ == "__main__":
    main()
