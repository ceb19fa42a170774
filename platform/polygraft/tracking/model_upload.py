"""A model's folder as MLflow keeps it: a pyfunc of loader_module, data_path and code_paths, which holds no pickle."""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from polygraft.core.errors import fault
from polygraft.tracking.mlflow_tracker import MlflowTracker, quieten

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature

PACKAGE = Path(__file__).parents[1]
REQUIREMENTS = (
    *("mlflow", "torch", "numpy", "pandas", "pyarrow", "numba", "pydantic", "ruamel.yaml", "safetensors"),
    "torchmetrics",
    "click",
)
"""What a process without polygraft needs to load a model with the copy that travels with it."""


def log_model(
    tracker: MlflowTracker, folder: Path, example: pd.DataFrame, predictions: pd.DataFrame, *, tables: int = 1
) -> str:
    """Log a model's folder with its run and return its URI, `models:/m-...`.

    example: a few input rows. predictions: what the model says of them; the two make the signature.
    tables: of how many the model takes rows. Where there are several, no columns are those of every call: the signature then
        has the parameter `table` alone, and the model itself checks the rows.
    Works on the client alone: MLflow's own `log_model` needs a global active run, which may be the caller's, and loads the model
    once more to try the example.
    """
    quieten()
    example = without_zones(example)
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model, infer_signature
    from mlflow.pyfunc import save_model

    client = tracker.client
    logged = client.create_logged_model(tracker.experiment_id, name="model", source_run_id=tracker.run_id)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        save_model(
            place / "model",
            loader_module="polygraft_loader",
            data_path=str(folder),
            code_paths=_code(place / "code"),
            mlflow_model=Model(
                artifact_path=logged.artifact_location,
                model_uuid=logged.model_id,
                run_id=tracker.run_id,
                model_id=logged.model_id,
            ),
            signature=infer_signature(example, predictions) if tables == 1 else _by_table(),
            input_example=example,
            pip_requirements=_pinned(),
        )
        client.log_model_artifacts(logged.model_id, str(place / "model"))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(tracker.run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return f"models:/{logged.model_id}"


def _by_table() -> ModelSignature:
    """The signature of a model of several tables."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ParamSchema, ParamSpec

    return ModelSignature(params=ParamSchema([ParamSpec("table", "string", None)]))


def without_zones(frame: pd.DataFrame) -> pd.DataFrame:
    """The same moments as UTC without a zone: MLflow's schemas know no other, and to a model both are the same."""
    zoned = frame.select_dtypes("datetimetz")
    return frame.assign(**{str(name): times.dt.tz_convert("UTC").dt.tz_localize(None) for name, times in zoned.items()})


def model_folder(path: Path) -> Path:
    """The model's own folder in what MLflow keeps of it; `path` itself when it is one. Raises UserError when it is neither."""
    if (path / "MLmodel").is_file():
        from mlflow.models import Model

        flavour = Model.load(str(path)).flavors.get("python_function", {})
        if "data" not in flavour:
            raise fault("this MLflow model was not made by polygraft.", str(path))
        return path / str(flavour["data"])
    if not (path / "suite.yaml").is_file():
        raise fault("this folder holds no model: it has neither suite.yaml nor MLmodel.", str(path))
    return path


def _code(place: Path) -> list[str]:
    """The loader, and a copy of the package for a process without polygraft."""
    carried = place / "polygraft_carried"
    shutil.copytree(PACKAGE, carried / "polygraft", ignore=shutil.ignore_patterns("__pycache__"))
    return [str(PACKAGE / "tracking" / "polygraft_loader.py"), str(carried)]


def _pinned() -> list[str]:
    """The requirements at the versions that are installed, without the mark of a build (`+cpu`)."""
    pinned = []
    for name in REQUIREMENTS:
        try:
            pinned.append(f"{name}=={version(name).partition('+')[0]}")
        except PackageNotFoundError:
            pinned.append(name)
    return pinned
