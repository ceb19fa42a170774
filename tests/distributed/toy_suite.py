"""A small table and a suite over it, for the tests of launching."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polygraft.suite.load import read
from polygraft.suite.origin import Origin
from polygraft.suite.schema import Suite

RAW: dict[str, Any] = {
    "suite": "toy",
    "seed": 7,
    "data": {"toy": {"source": "toy.csv"}},
    "backbone": {"name": "mlp", "widths": [32, 16], "dropout": 0.1},
    "balancer": {"name": "pcgrad", "agreement_every": 50},
    "tasks": {
        "late": {"data": "toy", "target": "late", "objective": "classification"},
        "delay": {"data": "toy", "target": "delay", "objective": "regression"},
    },
    "train": {"steps": 60, "batch_size": 131, "shards": 5, "log_every": 5, "evaluate_every": 20, "save_every": 10},
}


def toy(folder: Path | None = None, **changes: Any) -> Suite:
    """The toy suite; a change of a section is laid over it."""
    raw = {**RAW}
    for key, value in changes.items():
        raw[key] = {**raw.get(key, {}), **value} if isinstance(value, dict) else value
    return read(raw, Origin("suite.yaml", folder or Path(), {}))


def write_table(folder: Path, rows: int = 1500) -> None:
    """Numbers with gaps, a category, a time with its zone, two targets with missing labels, as `toy.csv`."""
    chance = np.random.default_rng(0)
    x = chance.normal(size=(rows, 4))
    table = pd.DataFrame(x, columns=list("abcd"))
    table["kind"] = np.array(list("uvwxyz"))[chance.integers(0, 6, rows)]
    table["when"] = pd.date_range("2013-01-01", periods=rows, freq="h").strftime("%Y-%m-%dT%H:%M:%SZ")
    table.loc[chance.random(rows) < 0.1, "a"] = np.nan
    late = (x[:, 0] + x[:, 1] * x[:, 2] > 0.5).astype(object)
    table["late"] = np.where(chance.random(rows) < 0.1, None, late)
    table["delay"] = np.where(chance.random(rows) < 0.2, np.nan, 10 * x[:, 0] + 5 * x[:, 3] + chance.normal(size=rows))
    table.to_csv(folder / "toy.csv", index=False)
