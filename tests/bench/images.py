"""Images a second, 60,000 of 28 x 28 uint8, normalised, shifted and mirrored, against a torch Dataset with transforms of each sample.

    python tests/bench/images.py [--images 60000] [--repeats 3]

The peer is what is usually written: `__getitem__` normalises, pads, takes a random window, mirrors by chance; a shuffled
DataLoader without workers collates. Ours is the stream itself, whole batches with targets, masks, weights and row numbers, one
thread ahead; both on one thread of torch. Repetitions are interleaved; medians are printed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import DataLoader, Dataset

from polygraft.data.batches import TableStream
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.spec import SplitSpec, TableSpec, TargetSpec
from polygraft.data.tables import write

BATCH, SHIFT, SIDE = 256, 2, 28


class Samples(Dataset[tuple[Tensor, Tensor]]):
    """Images by their number, transformed one by one."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = torch.from_numpy(images), torch.from_numpy(labels)
        scaled = self.images.double() / 255
        self.mean, self.deviation = float(scaled.mean()), float(scaled.std())

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        image = (self.images[number][None].float() / 255 - self.mean) / self.deviation
        top, left, mirrored = torch.randint(0, 2 * SHIFT + 1, (3,)).tolist()
        image = pad(image, (SHIFT,) * 4, value=-self.mean / self.deviation)[:, top : top + SIDE, left : left + SIDE]
        return image.flip(-1) if mirrored > SHIFT else image, self.labels[number]


def table(images: np.ndarray, labels: np.ndarray, folder: Path) -> Prepared:
    flat = pa.FixedSizeListArray.from_arrays(pa.array(images.reshape(-1)), SIDE * SIDE)
    write(pa.table({"image": flat, "y": labels}), folder / "t.arrow")
    spec = TableSpec(
        "t",
        ("t.arrow",),
        folder,
        columns={"image": "image"},
        encode={"image": ("image", {"shift": SHIFT, "mirror": True})},
        split=SplitSpec(validation=0, test=0),
        targets=(TargetSpec("y", ("y",), "number"),),
    )
    return prepare(spec, folder / "cache")


def drain(batches: Iterable[object]) -> float:
    start = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (given.images, SIDE, SIDE), np.uint8)
    labels = chance.normal(size=given.images)
    steps = given.images // BATCH
    with tempfile.TemporaryDirectory() as folder:
        prepared = table(images, labels, Path(folder))
        loader = DataLoader(Samples(images, labels), BATCH, shuffle=True, drop_last=True)
        stream = TableStream({"t": prepared}, BATCH, seed=0, shards=range(2), num_shards=2)
        drain(islice(stream.batches(0), 2))  # compiled
        seconds: dict[str, list[float]] = {"ours": [], "dataset": []}
        for repeat in range(given.repeats):
            seconds["ours"].append(drain(islice(stream.batches(repeat * steps), steps)))
            seconds["dataset"].append(drain(loader))
    ours, peer = (statistics.median(seconds[name]) for name in ("ours", "dataset"))
    rate = steps * BATCH / ours
    print(f"images         {rate:,.0f} images/s, torch Dataset {steps * BATCH / peer:,.0f}: {peer / ours:.1f}x")


if __name__ == "__main__":
    main()
