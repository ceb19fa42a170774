"""Rows a second of the batch stream, 400,000 x 32 float32, against plain indexing in torch, permutation included on both sides.

    python tests/bench/stream.py [--rows 400000] [--repeats 7]

`X[index]`: a fresh torch.randperm each epoch, `X[index[a:b]]` each batch, nothing else. DataLoader: a TensorDataset of X, shuffled,
no workers, one batch at a time collated as it always does. The stream gives whole batches: inputs, a target, masks, weights and
row numbers, cut into two shards. Repetitions are interleaved; medians are printed.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch.utils.data import DataLoader, TensorDataset

from polygraft.data.batches import TableStream
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.spec import SplitSpec, TableSpec, TargetSpec
from polygraft.data.tables import write


def table(rows: int, folder: Path) -> Prepared:
    """32 numbers and a target, all of its rows training rows."""
    values = np.random.default_rng(0).normal(size=(33, rows)).astype(np.float32)
    names = [*(f"x{j}" for j in range(32)), "y"]
    write(pa.table(dict(zip(names, map(pa.array, values), strict=True))), folder / "t.arrow")
    targets = (TargetSpec("y", ("y",), "number"),)
    return prepare(
        TableSpec("t", ("t.arrow",), folder, split=SplitSpec(validation=0, test=0), targets=targets), folder / "cache"
    )


def drain(batches: Iterable[object]) -> float:
    start = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - start


def indexed(x: torch.Tensor, batch_size: int, steps: int) -> Iterable[torch.Tensor]:
    index = torch.randperm(len(x))
    for step in range(steps):
        yield x[index[step * batch_size : (step + 1) * batch_size]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"# {platform.processor() or platform.machine()}, torch {torch.__version__}, {arguments.threads} threads")
    with tempfile.TemporaryDirectory() as folder:
        prepared = table(arguments.rows, Path(folder))
        x = torch.from_numpy(prepared.inputs["numbers"].copy())
        loader = DataLoader(TensorDataset(x), batch_size=1024, shuffle=True)
        slow = 50 * 1024 / drain(islice(loader, 50))
        for batch_size in (1024, 2048, 4096):
            compare(prepared, x, batch_size, arguments.repeats, slow)


def compare(prepared: Prepared, x: torch.Tensor, batch_size: int, repeats: int, loader: float) -> None:
    stream = TableStream({"t": prepared}, batch_size, seed=1, shards=range(2), num_shards=2)
    steps = len(x) // batch_size
    epoch = iter(range(10**9))

    def ours() -> float:
        batches = stream.batches(next(epoch) * steps)
        taken = drain(islice(batches, steps))
        batches.close()  # type: ignore[attr-defined]
        return taken

    works: dict[str, Callable[[], float]] = {"stream": ours, "index": lambda: drain(indexed(x, batch_size, steps))}
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats + 1):
        for name, work in works.items():
            times[name].append(work())
    rows = {name: steps * batch_size / statistics.median(each[1:]) / 1e6 for name, each in times.items()}
    print(
        f"batch stream  {len(x):,} x 32 float32  batch {batch_size}  {rows['stream'] / rows['index']:.2f}x plain X[index]"
        f"  ({rows['stream']:.1f}M / {rows['index']:.1f}M rows/s, {repeats} epochs)  DataLoader {loader / 1e6:.2f}M"
    )


if __name__ == "__main__":
    main()
