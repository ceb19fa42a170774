"""From the flights' CSV file (336,776 x 33) to an epoch of training batches, against the same steps in pandas and scikit-learn.

    python tests/bench/end_to_end.py [--repeats 5]

Both read the file, split it at random (.7, .1, .2), fit on the training rows and encode all rows: numbers filled with the median and an indicator,
clipped at the quantiles .001 and .999, standardised; categories coded, levels seen less than 20 times folded into one; four
targets with their masks; then one shuffled epoch of batches of 1,024 rows as torch tensors. Each runs in a fresh process, ours with an
empty cache, which it also writes. Two times are printed, medians of interleaved repetitions: the work on the whole file once the same
process has done it on the file's first rows, so that libraries are imported; and the whole process, imports and those rows included. The first
process of each, which compiles kernels and bytecode, is not counted. `pyarrow` is pandas' other CSV reader.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from pyarrow import csv

BATCH, LOW, HIGH, RARE = 1024, 0.001, 0.999, 20
FIRST_ROWS = 5_000
CLASSES, NUMBERS = ["cancelled", "late"], ["arr_delay", "dep_delay"]
NAMES = ["day_of_year", "weekday", "hour"]  # numbers that are names


def write(file: Path, first: Path) -> tuple[int, int]:
    """The table of the flights' suite as CSV, and its first rows; its rows and columns."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "tasks/flights"))
    from recipe import flights

    table = flights().drop_columns(["scheduled"])
    csv.write_csv(table, file)
    csv.write_csv(table.slice(0, FIRST_ROWS), first)
    return table.num_rows, table.num_columns


def ours(file: Path) -> int:
    """The rows of an epoch."""
    from polygraft.data.batches import TableStream
    from polygraft.data.preparation import prepare
    from polygraft.data.spec import SplitSpec, TableSpec, TargetSpec

    kinds = dict.fromkeys(CLASSES, "category") | dict.fromkeys(NUMBERS, "number")
    spec = TableSpec(
        "flights",
        (file,),
        columns=dict.fromkeys(NAMES, "category"),
        clean=(("missing", {}), ("outliers", {"low": LOW, "high": HIGH}), ("rare_levels", {"min_count": RARE})),
        split=SplitSpec("random", None, 0.1, 0.2),
        targets=tuple(TargetSpec(name, (name,), kind) for name, kind in kinds.items()),  # type: ignore[arg-type]
    )
    with tempfile.TemporaryDirectory(dir=file.parent) as cache:
        prepared = prepare(spec, Path(cache))
        stream = TableStream({"flights": prepared}, BATCH, seed=1, shards=range(1), num_shards=1)
        batches = stream.batches(0)
        steps = len(prepared.splits["train"]) // BATCH
        rows = sum(len(batch["flights"].rows) for (batch,) in islice(batches, steps))
        batches.close()  # type: ignore[attr-defined]
        return rows


def theirs(file: Path, engine: str) -> int:
    """The same in pandas and scikit-learn."""
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import OrdinalEncoder, StandardScaler

    frame = pd.read_csv(file, engine=engine)  # type: ignore[call-overload]
    rest, _ = train_test_split(np.arange(len(frame)), test_size=0.2, random_state=1)
    training, _ = train_test_split(rest, test_size=0.125, random_state=1)
    features = frame.drop(columns=CLASSES + NUMBERS)
    texts = [name for name in features if name in NAMES or not pd.api.types.is_numeric_dtype(features[name])]
    values = features.drop(columns=texts).to_numpy(np.float64)
    imputer = SimpleImputer(strategy="median", add_indicator=True).fit(values[training])
    filled = imputer.transform(values)
    width = values.shape[1]
    low, high = np.nanquantile(values[training], [LOW, HIGH], axis=0)
    np.clip(filled[:, :width], low, high, out=filled[:, :width])
    scaler = make_column_transformer((StandardScaler(), slice(0, width)), remainder="passthrough")
    numbers = scaler.fit(filled[training]).transform(filled).astype(np.float32)
    coder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2, min_frequency=RARE
    )
    codes = coder.fit(features[texts].iloc[training]).transform(features[texts]).astype(np.int32)
    targets = {name: frame[name].to_numpy(np.float32, copy=True) for name in NUMBERS}
    targets |= {name: pd.factorize(frame[name], sort=True)[0].copy() for name in CLASSES}
    present = {name: frame[name].notna().to_numpy(copy=True) for name in targets}
    arrays = [numbers, codes, *targets.values(), *present.values()]
    return sum(len(batch[0]) for batch in _epoch(arrays, training))


def _epoch(arrays: list[np.ndarray], rows: np.ndarray) -> Iterator[list[torch.Tensor]]:
    """Full batches of these rows, shuffled."""
    tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
    order = torch.from_numpy(rows)[torch.randperm(len(rows))]
    for start in range(0, len(order) - BATCH + 1, BATCH):
        index = order[start : start + BATCH]
        yield [tensor[index] for tensor in tensors]


SIDES: dict[str, Callable[[Path], int]] = {
    "polygraft": ours,
    "pandas": lambda file: theirs(file, "c"),
    "pandas, pyarrow": lambda file: theirs(file, "pyarrow"),
}


def measure(side: str, file: Path, threads: int) -> tuple[float, float, int]:
    """(seconds of the work, of the whole process, rows of the epoch) in a process of its own."""
    began = time.perf_counter()
    command = [sys.executable, __file__, "--side", side, "--file", str(file)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPYCACHEPREFIX": str(file.parent / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    told = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    seconds, rows = told.split()
    return float(seconds), time.perf_counter() - began, int(rows)


def run(side: str, file: Path) -> None:
    """What the process of one side does."""
    pa.set_cpu_count(int(os.environ["OMP_NUM_THREADS"]))
    SIDES[side](file.with_name("first.csv"))
    began = time.perf_counter()
    rows = SIDES[side](file)
    print(time.perf_counter() - began, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        run(asked.side, asked.file)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "flights.csv"
        rows, columns = write(file, file.with_name("first.csv"))
        times: dict[str, list[tuple[float, float, int]]] = {side: [] for side in SIDES}
        for _ in range(asked.repeats + 1):
            for side, taken in times.items():
                taken.append(measure(side, file, asked.threads))
    assert len({each[2] for taken in times.values() for each in taken}) == 1, "epochs of different lengths"
    work, process = (
        {side: statistics.median(each[kind] for each in taken[1:]) for side, taken in times.items()} for kind in (0, 1)
    )
    print(f"# {platform.processor() or platform.machine()}, {asked.threads} threads")
    for peer in [side for side in SIDES if side != "polygraft"]:
        print(
            f"CSV to an epoch of batches  {rows:,} x {columns}  {work[peer] / work['polygraft']:.1f}x faster than {peer}"
            f"  ({work['polygraft']:.2f} s / {work[peer]:.2f} s, {asked.repeats} repeats)"
            f"  with imports {process[peer] / process['polygraft']:.1f}x ({process['polygraft']:.1f} s / {process[peer]:.1f} s)"
        )


if __name__ == "__main__":
    main()
