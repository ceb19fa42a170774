"""What MLflow calls to load a logged model: no pickle, a folder and this loader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from polygraft.assembly.model import Model


class Served:
    """A model as MLflow's pyfunc flavour wants it."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, rows: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Named columns per task for raw rows; `params` may say the `table`."""
        return self.model.predict(rows, **(params or {}))


def _load_pyfunc(data_path: str) -> Served:
    """MLflow's name for the loader of a `loader_module`."""
    return Served(Model.load(Path(data_path)))
