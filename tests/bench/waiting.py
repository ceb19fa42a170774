"""The share of a run's time in which its steps waited for data: flights, in this process, with one thread.

    python tests/bench/waiting.py [--steps 300]

Of the whole run, evaluations and checkpoints included, and of its steps alone. A wait is all between asking the stream and having the batch.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path

import polygraft as pg

SUITE = Path(__file__).parents[2] / "tasks/flights/suite.yaml"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=300)
    steps = parser.parse_args().steps
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        suite = pg.load(SUITE, set={"train.steps": steps, "train.evaluate_every": 0})
        run = pg.train(suite, register=False, progress=False)
        lines = [json.loads(line) for line in (run.folder / "system.jsonl").read_text().splitlines()]
    parts = {name: sum(_of(line, f"system/seconds/{name}") for line in lines) for name in ("data", "wall")}
    print(f"# {platform.processor() or platform.machine()}")
    print(
        f"waiting for data  flights  {steps} steps of {suite.train.batch_size}  {run.data_wait_share:.2%} of the run"
        f"  ({parts['data']:.2f} s; {parts['data'] / parts['wall']:.2%} of the time that its log lines cover)"
    )


def _of(line: dict[str, object], key: str) -> float:
    value = line.get("values", line).get(key, 0.0)  # type: ignore[union-attr]
    return float(value)


if __name__ == "__main__":
    main()
