"""Bytes on the wire and in memory of a balanced step on 2 gloo workers, by mode, beside what the modes promise.

    python tests/bench/wire.py [--tasks 10]

P shared parameters, K tasks, R workers, numbers of 4 bytes. A plain step's all-reduce moves 2 P (R - 1) / R; K all-reduces,
as a loop over tasks would make them, K times that.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "laws"))
from balancing_costs import NUMBER, WIDE, of_two

WORKERS = 2
CASES = [("famo", "losses"), ("pcgrad", "last_layer"), ("mgda", "features"), ("pcgrad", "parameters")]
CASES += [("sdmgrad", "last_layer"), ("sdmgrad", "parameters")]


def promised(name: str, mode: str, tasks: int, shared: int) -> tuple[float, float]:
    """Numbers on the wire and in memory; small change (losses, weights, heads) left out."""
    share, rank = (WORKERS - 1) / WORKERS, 16
    compared = 2 if name == "sdmgrad" else 1
    if mode == "parameters":
        apart = name == "sdmgrad"  # the batch that is followed is no compared one: an ordinary backward and reduction
        followed = (2 if apart else 1) * shared * share
        kept = compared * tasks * shared / WORKERS + (4 if apart else 2) * shared
        return compared * tasks * shared * share + followed, kept
    sketch = compared * tasks * (rank + 1) * WIDE if mode == "last_layer" else 0
    return 2 * (shared + sketch) * share, float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=10)
    tasks = parser.parse_args().tasks
    seen = of_two([(name, mode, tasks) for name, mode in CASES])[0]
    shared = seen[0]["shared"]
    plain = 2 * shared * (WORKERS - 1) / WORKERS
    print(f"# 2 gloo workers, K={tasks}, P={shared:,}: a plain step sends {plain * NUMBER / 1e6:.2f} MB a worker")
    for (name, mode), each in zip(CASES, seen, strict=True):
        sent, memory = promised(name, mode, tasks, shared)
        print(
            f"bytes a step  {name} {mode}  {each['sent'] / plain:.2f}x plain  ({each['sent'] * NUMBER / 1e6:.2f} MB, promised "
            f"{sent * NUMBER / 1e6:.2f}; {tasks} all-reduces {tasks * plain * NUMBER / 1e6:.2f})  memory {each['memory'] / shared:.2f} P"
            + ("" if memory != memory else f", promised {memory / shared:.2f} P")
        )


if __name__ == "__main__":
    main()
