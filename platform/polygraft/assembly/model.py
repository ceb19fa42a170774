"""Model: cleaning, encoding, trunk and heads as one thing that takes raw rows and gives named columns."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from polygraft.assembly.learners import learner as fresh_learner
from polygraft.assembly.learners import stem_named
from polygraft.assembly.tables import tasks_of
from polygraft.core.atomic import atomic_folder, write_json, write_text
from polygraft.core.batch import Inputs
from polygraft.core.errors import fault
from polygraft.data.batches import chunked
from polygraft.data.preparation import Prepared
from polygraft.data.preprocessor import Preprocessor
from polygraft.data.target import Target
from polygraft.objectives.base import Objective
from polygraft.suite.identity import as_yaml
from polygraft.suite.load import load
from polygraft.suite.schema import Suite
from polygraft.training.evaluate import CHUNK
from polygraft.training.learner import Learner
from polygraft.training.predictor import Predictor

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1


@dataclass(frozen=True)
class Model:
    """A trained model. learner: network and objectives; preprocessors, inputs: by table; targets: by task that has one."""

    suite: Suite
    learner: Learner
    preprocessors: Mapping[str, Preprocessor]
    targets: Mapping[str, Target]
    fingerprints: Mapping[str, str]

    @classmethod
    def of(cls, suite: Suite, prepared: Mapping[str, Prepared], learner: Learner) -> Model:
        """The model that a run ends with."""
        return cls(
            suite,
            learner,
            {name: table.preprocessor for name, table in prepared.items()},
            {task: target for table in prepared.values() for task, target in table.target_info.items()},
            {name: table.fingerprint for name, table in prepared.items()},
        )

    def predict(self, rows: pd.DataFrame, table: str | None = None) -> pd.DataFrame:
        """Each task's columns, [rows] each, under the index of `rows`: raw rows in the form of the suite's table, without targets.

        table: which of the model's tables the rows are of; may be left out where it has one.
        Raises UserError for a missing column and for values that do not fit.
        """
        import pandas as pd

        return pd.DataFrame(self.predict_columns(rows, table), index=rows.index)

    def predict_columns(self, rows: Any, table: str | None = None) -> dict[str, np.ndarray]:
        """`predict` of a DataFrame or an Arrow table, as arrays [rows] by column."""
        columns: dict[str, np.ndarray] = {}
        for task, outputs in self.outputs(rows, table).items():
            columns |= self.objective(task).predict(outputs)
        return columns

    def outputs(self, rows: Any, table: str | None = None) -> dict[str, Tensor]:
        """Each task's raw outputs [rows, size] of a DataFrame or an Arrow table."""
        table = self.table(table)
        encoded = self.preprocessors[table].encode(rows, where="the rows to predict")
        predictor = Predictor(self.learner, torch.device("cpu"))
        return predictor.outputs(table, chunked(encoded, CHUNK), list(tasks_of(self.suite, table)))

    def table(self, name: str | None) -> str:
        """The table meant by `name`, or the only one."""
        tables = list(self.preprocessors)
        if name is None and len(tables) == 1:
            return tables[0]
        if name not in tables:
            raise fault(
                f"the model has the tables {', '.join(tables)}; say which the rows are of. Found: {name or 'none'}."
            )
        return name

    def objective(self, task: str) -> Objective:
        """A task's objective."""
        return self.learner.objective(task)

    def save(self, folder: Path) -> None:
        """Write the model folder, atomically: suite.yaml schema.json cleaning/ weights.safetensors trunk.json plugins/."""
        with atomic_folder(folder) as new:
            write_text(new / "suite.yaml", as_yaml(self.suite))
            write_json(new / "schema.json", self._schema())
            for table, preprocessor in self.preprocessors.items():
                preprocessor.save(new / "cleaning" / table)
            weights = {name: tensor.detach().cpu().contiguous() for name, tensor in self.learner.state_dict().items()}
            save_file(weights, new / "weights.safetensors")
            write_json(new / "trunk.json", self._trunk())
            plugins = self.suite.folder / "plugins"
            if plugins.is_dir():
                shutil.copytree(plugins, new / "plugins", ignore=shutil.ignore_patterns("__pycache__"))

    @classmethod
    def load(cls, folder: Path) -> Model:
        """The model in a folder. Raises UserError when it is none, or not whole."""
        try:
            schema = json.loads((folder / "schema.json").read_text())
            weights = load_file(folder / "weights.safetensors")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise fault(f"no model: {Path(str(error.filename)).name} is missing.", str(folder)) from None
        if schema["format"] != FORMAT:
            raise fault(f"a model of format {schema['format']}; this polygraft reads {FORMAT}.", str(folder))
        suite = load(folder / "suite.yaml")
        preprocessors = {name: Preprocessor.load(folder / "cleaning" / name, folder) for name in schema["tables"]}
        targets = {task: Target.from_json(fields) for task, fields in schema["tasks"].items()}
        learner = fresh_learner(suite, {name: each.shape for name, each in preprocessors.items()}, targets)
        learner.load_state_dict(weights)
        fingerprints = {name: table["fingerprint"] for name, table in schema["tables"].items()}
        return cls(suite, learner.eval(), preprocessors, targets, fingerprints)

    def _schema(self) -> dict[str, Any]:
        tables = {
            name: {"columns": each.columns, "inputs": asdict(each.shape), "fingerprint": self.fingerprints[name]}
            for name, each in self.preprocessors.items()
        }
        return {
            "format": FORMAT,
            "tables": tables,
            "tasks": {task: each.to_json() for task, each in self.targets.items()},
        }

    def _trunk(self) -> dict[str, Any]:
        """What rebuilds the shared part alone: the next suite's backbone."""
        stems = {name: _stem(self.suite, name, each.shape) for name, each in self.preprocessors.items()}
        return {
            "format": FORMAT,
            "suite": self.suite.suite,
            "stems": stems,
            "trunk": self.suite.backbone.model_dump(),
            "sharing": self.suite.sharing.model_dump(),
        }


def load_model(model: str | Path, *, tracking: str | None = None, storage: str | Path = "runs") -> Model:
    """The model that an operand means: `flights` (its champion), `flights@alias`, `flights/3`, `models:/...`, `runs:/...` or a folder.

    tracking: MLflow's URI; absent, MLFLOW_TRACKING_URI, else the file under `storage`.
    Raises UserError for what is not there.
    """
    from polygraft.tracking.mlflow_tracker import tracking_uri
    from polygraft.tracking.model_registry import ModelRegistry

    folder = Path(model)
    if folder.is_dir() and (isinstance(model, Path) or os.sep in model):
        return Model.load(folder)
    uri, _ = tracking_uri(tracking, os.environ, None, Path(storage))
    return Model.load(ModelRegistry(uri).resolve(str(model)))


def _stem(suite: Suite, table: str, shape: Inputs) -> dict[str, Any]:
    return {**stem_named(suite, table, shape).model_dump(), "inputs": asdict(shape)}
