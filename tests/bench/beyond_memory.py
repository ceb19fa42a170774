"""The peak of cleaning, and of checking, tables of four and sixteen times the allowed memory, and what a stream costs beside cleaning in memory.

    python tests/bench/beyond_memory.py [--allowed 64]

16 numbers with 5 % nulls and a category; median, quantiles .01 and .99, rare levels, standard scores. Each table is cleaned in a process of its
own that has cleaned a small one before; its peak is what VmHWM grew by, so that imports and compiled kernels are not counted. The last
line gives the larger table all the memory it wants.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

COLUMNS, GROUP = 16, 50_000

PROGRAM = """
import sys, time
from pathlib import Path
from polygraft.data.preparation import prepare
from polygraft.data.spec import TableSpec, TargetSpec

def peak():
    return 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])

def clean(name, memory):
    steps = (("missing", {}), ("outliers", {}), ("rare_levels", {}))
    spec = TableSpec(name, (f"{name}.parquet",), folder, clean=steps, targets=(TargetSpec("y", ("y",), "number"),), memory=memory)
    return prepare(spec, cache)

folder, cache = Path(sys.argv[1]), Path(sys.argv[1]) / f"cache-{sys.argv[2]}-{sys.argv[3]}"
clean("small", 1000)
clean("small", 2**40)
before, began = peak(), time.perf_counter()
prepared = clean(sys.argv[2], int(sys.argv[3]))
streamed = (cache / "tables" / prepared.fingerprint / "rows").is_dir()
print(time.perf_counter() - began, peak() - before, prepared.rows, int(streamed))
"""

CHECKING = """
import sys, time
from pathlib import Path
from polygraft.assembly.quality import look_at
from polygraft.suite.load import load

def peak():
    return 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])

def looked(name, memory):
    file = folder / f"{name}-{memory}.yaml"
    file.write_text(f"suite: s\\ndata: {{t: {{source: {name}.parquet, memory: {memory // 2**10}KB}}}}\\n"
                    "tasks: {y: {data: t, target: y, objective: regression}}\\ntrain: {steps: 10}\\n")
    return look_at(load(file), folder)[0].rows

folder, allowed = Path(sys.argv[1]), int(sys.argv[3])
looked("small", 2**20)
before, began = peak(), time.perf_counter()
rows = looked(sys.argv[2], allowed)
print(time.perf_counter() - began, peak() - before, rows, 1)
"""


def write(file: Path, groups: int) -> int:
    """The table of so many row groups; its bytes as Arrow holds them."""
    chance = np.random.default_rng(0)
    values = [pa.array(chance.normal(size=GROUP), mask=chance.random(GROUP) < 0.05) for _ in range(COLUMNS)]
    columns = {f"x{j}": column for j, column in enumerate(values)}
    columns |= {"kind": pa.array(chance.choice(list("abcd"), GROUP)), "y": pa.array(chance.normal(size=GROUP))}
    group = pa.table(columns)
    with parquet.ParquetWriter(file, group.schema) as writer:
        for _ in range(groups):
            writer.write_table(group)
    return groups * int(group.nbytes)


def measure(folder: Path, name: str, memory: int, program: str = PROGRAM) -> tuple[float, float, int, bool]:
    """(seconds, MiB above what the process took before, rows, whether it was cleaned in a stream)."""
    command = [sys.executable, "-c", program, str(folder), name, str(memory)]
    told = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True
    )
    seconds, grown, rows, streamed = told.stdout.split()
    return float(seconds), int(grown) / 2**20, int(rows), streamed == "1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--allowed", type=int, default=64, help="MiB")
    allowed = parser.parse_args().allowed
    print(f"# {platform.processor() or platform.machine()}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder / "small.parquet", 1)
        group = write(folder / "group.parquet", 1)
        for name, times in (("four", 4), ("sixteen", 16)):
            size = write(folder / f"{name}.parquet", -(-times * allowed * 2**20 // group))
            seconds, peak, rows, _ = measure(folder, name, allowed * 2**20)
            print(
                f"beyond memory  {rows:,} rows, {size / 2**20:,.0f} MiB, {allowed} MiB allowed: peak {peak:,.0f} MiB, {seconds:.1f} s, {rows / seconds / 1e6:.2f}M rows/s"
            )
            seconds, peak, rows, _ = measure(folder, name, allowed * 2**20, CHECKING)
            print(
                f"check --data   {rows:,} rows, {allowed} MiB allowed: peak {peak:,.0f} MiB, {seconds:.1f} s, {peak * 2**20 / rows:.1f} bytes a row"
            )
        seconds, peak, rows, _ = measure(folder, "sixteen", 2**40)
        print(
            f"in memory      {rows:,} rows, {size / 2**20:,.0f} MiB, all of it allowed: peak {peak:,.0f} MiB, {seconds:.1f} s, {rows / seconds / 1e6:.2f}M rows/s"
        )


if __name__ == "__main__":
    main()
