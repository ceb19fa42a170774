"""Digits and silhouettes: twenty kinds, read without a pickle that could do anything but make arrays."""

from __future__ import annotations

import gzip
import pickle
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


def test_the_table(shapes28: ModuleType) -> None:
    table = shapes28.shapes()
    counts = Counter(table["kind"].to_pylist())
    assert {name: counts[name] for name in ("7", "zebra")} == {"7": 500, "zebra": 1000}
    assert (len(counts), len(table)) == (20, 15_000)
    pixels = np.stack(table["picture"].slice(4_999, 2).to_pylist())
    assert pixels.shape == (2, 784)
    assert pixels.max() > 200


def test_one_label_in_a_hundred_is_kept_of_each_kind_and_all_that_is_scored(shapes28: ModuleType) -> None:
    parted, few = shapes28.parted(), shapes28.few()
    assert Counter(parted["part"].to_pylist()) == {"train": 10_500, "validation": 1_500, "test": 3_000}
    training = parted.filter(np.asarray(parted["part"]) == "train")
    every = Counter(training["kind"].to_pylist())
    left = few.filter(np.asarray(few["part"]) == "train")
    assert Counter(left["kind"].to_pylist()) == {kind: -(-rows // 100) for kind, rows in every.items()}
    assert {tuple(row) for row in left["picture"].to_pylist()} <= {
        tuple(row) for row in training["picture"].to_pylist()
    }
    assert len(few) - len(left) == 4_500


def test_a_pickle_that_calls_something_is_refused(shapes28: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "data.gz"
    file.write_bytes(gzip.compress(pickle.dumps(print)))
    with pytest.raises(pickle.UnpicklingError, match=r"builtins\.print, which is no array"):
        shapes28.unpickled(file)
    file.write_bytes(gzip.compress(pickle.dumps(np.arange(6).reshape(2, 3))))
    assert shapes28.unpickled(file).tolist() == [[0, 1, 2], [3, 4, 5]]
