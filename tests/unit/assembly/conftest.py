"""A suite of two tables with other columns, two tasks each, under whatever mixture a test asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polygraft.assembly.experiments import experiment
from polygraft.assembly.tables import prepare_tables
from polygraft.data.preparation import Prepared
from polygraft.suite.load import load
from polygraft.training.experiment import Experiment
from polygraft.training.state import State

Begin = Callable[..., tuple[Experiment, State]]
SUITE = """
suite: mixed
seed: 3
data:
  left: {source: left.csv, stem: {name: columns, width: 8}}
  right: {source: right.csv, stem: {name: columns, width: 8}}
backbone: {name: mlp, widths: [16, 8]}
tasks:
  late: {data: left, target: late, objective: classification}
  delay: {data: left, target: delay, objective: regression}
  kind: {data: right, target: kind, objective: classification}
  size: {data: right, target: size, objective: regression}
train: {steps: 40, batch_size: 64, mixture: proportional, optimizer: {name: adamw, lr: 1e-2, weight_decay: 0.1}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("mixtures")
    for rows, name in ((400, "left"), (800, "right")):
        chance = np.random.default_rng(rows)
        table = pd.DataFrame(chance.normal(size=(rows, 3)), columns=list("xyz"))
        if name == "left":
            table = table.assign(late=np.where(table.x > 0, "yes", "no"), delay=10 * table.x + table.y)
        else:
            table = table.assign(
                kind=np.array(list("abc"))[(table.z + 1.5).clip(0, 2).astype(int)], size=table.y - table.x
            )
            table["extra"] = chance.normal(size=rows)  # the tables have other columns, and the stems another shape
        table.to_csv(home / f"{name}.csv", index=False)
    (home / "suite.yaml").write_text(SUITE)
    return home


@pytest.fixture(scope="module")
def tables(home: Path) -> Mapping[str, Prepared]:
    """Encoded once: no test changes what is read of them."""
    return prepare_tables(load(home / "suite.yaml"), home / "cache")


@pytest.fixture
def begun(home: Path, tables: Mapping[str, Prepared]) -> Begin:
    """A run at its beginning, by what is laid over the suite."""

    def begin(*overrides: str) -> tuple[Experiment, State]:
        made = experiment(load(home / "suite.yaml", set=overrides), tables)
        return made, made.state(None)

    return begin
