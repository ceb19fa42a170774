"""What a suite of environments comes to over seeds: the interquartile mean of greedy returns on the test's episodes, the worst seed named.

    python tests/bench/returns.py SUITE [--seeds 1 2 3 ...] [--at-least 475] [--of N] [--workers N]

The mean of the middle half of the seeds is what Agarwal et al. 2021 (https://arxiv.org/abs/2108.13264) advise for a few noisy runs. A
seed's run has an id of its own: what was stopped goes on where it was, what is finished is read off. --at-least: exit code 1 where the
interquartile mean, or with --of so many seeds, stays below.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

import polygraft as pg


def interquartile_mean(values: Sequence[float]) -> float:
    """The mean of the middle half; a value that the quarters cut through counts in part."""
    ordered, count = np.sort(values), len(values)
    kept = np.clip(np.arange(1, count + 1), count / 4, 3 * count / 4) - np.clip(
        np.arange(count), count / 4, 3 * count / 4
    )
    return float(ordered @ kept / kept.sum())


def main() -> int:
    """Train or read off each seed; print a line a task."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suite", nargs="?", default="tasks/classic_control/dqn.yaml")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(1, 11)))
    parser.add_argument("--at-least", type=float, default=-np.inf)
    parser.add_argument("--of", type=int)
    parser.add_argument("--workers", type=int)
    given = parser.parse_args()
    found: dict[str, dict[int, float]] = {}
    for seed in given.seeds:
        suite = pg.load(given.suite, set={"seed": seed})
        run = pg.train(suite, run=f"{suite.suite}-seed-{seed}", workers=given.workers, register=False)
        for key, value in run.metrics.items():
            if key.endswith("/return"):
                found.setdefault(key, {})[seed] = value
                print(f"{suite.suite}  seed {seed}  {key} {value:.1f}", flush=True)
    reached = True
    for key, by_seed in found.items():
        mean, worst = interquartile_mean(list(by_seed.values())), min(by_seed, key=by_seed.__getitem__)
        above = sum(value >= given.at_least for value in by_seed.values())
        reached &= above >= given.of if given.of else mean >= given.at_least
        told = f"{above} of {len(by_seed)} seeds at {given.at_least:g} or above" if np.isfinite(given.at_least) else ""
        print(f"{key}  interquartile mean {mean:.1f}  worst {by_seed[worst]:.1f} (seed {worst})  {told}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
