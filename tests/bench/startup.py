"""From the command to the first step: `check`, `train` in process, `train --workers 2`, beside an empty Ray Train job.

    python tests/bench/startup.py [--repeats 3]

The first run of each kind, which fills the caches, is not counted. The first step is there when its line stands in the journal.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

BIN = Path(sys.executable).parent
ROWS, COLUMNS = 50_000, 20
SUITE = """
suite: startup
data: {t: {source: t.parquet}}
backbone: {name: mlp, widths: [256, 128]}
balancer: pcgrad
tasks:
  a: {data: t, target: a, objective: classification}
  b: {data: t, target: b, objective: regression}
train: {steps: 100000, batch_size: 1024, log_every: 1, evaluate_every: 0, save_every: 0}
"""


def lay_out(folder: Path) -> None:
    """A table and a suite over it."""
    chance = np.random.default_rng(0)
    table = pd.DataFrame(chance.normal(size=(ROWS, COLUMNS)), columns=[f"x{j}" for j in range(COLUMNS)])
    table["kind"] = chance.choice(list("abcdefgh"), ROWS)
    table["a"] = chance.random(ROWS) < 0.3
    table["b"] = chance.normal(size=ROWS)
    table.to_parquet(folder / "t.parquet")
    (folder / "suite.yaml").write_text(SUITE)


def check(folder: Path, number: int) -> float:
    """Seconds of `polygraft check`."""
    began = time.monotonic()
    subprocess.run([BIN / "polygraft", "check", "suite.yaml"], cwd=folder, check=True, capture_output=True)
    return time.monotonic() - began


def first_step(folder: Path, number: int, *options: str) -> float:
    """Seconds until the first step of `polygraft train` stands in the journal; then it is stopped."""
    run = f"run-{'-'.join(options)}-{number}".replace("--", "")
    journal = folder / "runs/startup" / run / "metrics.jsonl"
    words = (folder / f"{run}.log").open("wb")
    began = time.monotonic()
    command = [BIN / "polygraft", "train", "suite.yaml", "--run", run, "--no-register", *options]
    process = subprocess.Popen(command, cwd=folder, stdout=words, stderr=words, start_new_session=True)
    try:
        while not (journal.exists() and journal.stat().st_size):
            if process.poll() is not None:
                raise SystemExit((folder / f"{run}.log").read_text())
            time.sleep(0.005)
        return time.monotonic() - began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        words.close()


def peer(folder: Path, number: int) -> float:
    """Seconds until the first collective of an empty TorchTrainer of two workers."""
    told = subprocess.run(
        [sys.executable, Path(__file__).with_name("peer_ray_train.py")], check=True, capture_output=True, text=True
    )
    return float(told.stdout.split("ray train")[-1].split()[0])


def phases(folder: Path) -> str:
    """What the newest run on Ray said of its start-up."""
    lines = [json.loads(line) for line in (folder / "runs/startup/latest/system.jsonl").read_text().splitlines()]
    found = {
        key.rpartition("/")[2]: value for line in lines for key, value in line["values"].items() if "/startup/" in key
    }
    return ", ".join(f"{name} {seconds:.1f}" for name, seconds in found.items())


def main() -> None:
    """Print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    kinds: dict[str, tuple[Callable[[Path, int], float], float | None]] = {
        "check": (check, 1.0),
        "train, in process, to its first step": (first_step, 8.0),
        "train --workers 2, to its first step": (
            lambda folder, number: first_step(folder, number, "--workers", "2"),
            12.0,
        ),
        "ray train, empty, 2 workers, to its first collective": (peer, None),
    }
    print(
        f"start-up  table {ROWS:,} x {COLUMNS}  {os.cpu_count()} CPUs {platform.machine()}  load {os.getloadavg()[0]:.1f}"
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        lay_out(folder)
        medians = {}
        for name, (measure, _) in kinds.items():
            measure(folder, 0)
            medians[name] = statistics.median(measure(folder, 1 + number) for number in range(repeats))
            if "--workers" in name:
                told = phases(folder)
        slowest = medians[list(kinds)[-1]]
        for name, (_, goal) in kinds.items():
            wanted = f"  goal < {goal:.0f} s" if goal else ""
            print(f"{name:<54}{medians[name]:6.2f} s  {slowest / medians[name]:5.1f}x faster than ray train{wanted}")
        print(f"phases of train --workers 2: {told} s")


if __name__ == "__main__":
    main()
