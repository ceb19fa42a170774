"""A table of six times the allowed memory is cleaned below it; what a process takes anyway, imports and kernels, is not counted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

ALLOWED = 48 * 2**20
COLUMNS, GROUP = 16, 50_000

PROGRAM = """
import sys
from pathlib import Path
from polygraft.data.preparation import prepare
from polygraft.data.spec import TableSpec, TargetSpec

def peak():
    return 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])

def clean(name, memory):
    steps = (("missing", {}), ("outliers", {}), ("rare_levels", {}))
    spec = TableSpec(name, (f"{name}.parquet",), folder, clean=steps, targets=(TargetSpec("y", ("y",), "number"),), memory=memory)
    return prepare(spec, folder / "cache")

folder = Path(sys.argv[1])
clean("small", 1000)
before = peak()
prepared = clean("large", int(sys.argv[2]))
print(peak() - before, prepared.rows, (folder / "cache/tables" / prepared.fingerprint / "rows").is_dir())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_a_table_of_six_times_the_allowed_memory_is_cleaned_below_it(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    values = [pa.array(chance.normal(size=GROUP), mask=chance.random(GROUP) < 0.05) for _ in range(COLUMNS)]
    columns = {f"x{j}": column for j, column in enumerate(values)}
    columns |= {"kind": pa.array(chance.choice(list("abcd"), GROUP)), "y": pa.array(chance.normal(size=GROUP))}
    group = pa.table(columns)
    parquet.write_table(group, tmp_path / "small.parquet")
    groups = -(-6 * ALLOWED // group.nbytes)
    with parquet.ParquetWriter(tmp_path / "large.parquet", group.schema) as writer:
        for _ in range(groups):
            writer.write_table(group)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(ALLOWED)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    grown, rows, streamed = done.stdout.split()
    assert (int(rows), streamed) == (groups * GROUP, "True")
    assert int(grown) < ALLOWED
