"""A model goes into MLflow without pickle, comes out wherever it is named, and needs no polygraft to be loaded."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from polygraft.core.errors import UserError
from polygraft.tracking import model_upload
from polygraft.tracking.mlflow_tracker import MlflowTracker, RunFacts, open_run, tracking_uri
from polygraft.tracking.model_registry import ModelRegistry, Version
from polygraft.tracking.model_upload import REQUIREMENTS, log_model, model_folder, without_zones

EXAMPLE = pd.DataFrame({"distance": [1.0, 2.0], "month": ["a", "b"]})
PREDICTIONS = pd.DataFrame({"late": [0.25, 0.5]})
LOADER = """
import pandas as pd
class Model:
    def predict(self, frame, params=None):
        return pd.DataFrame({"late": frame["distance"] / 4})
def _load_pyfunc(path):
    return Model()
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """A package of our name that is small: what travels with a model is whatever PACKAGE holds."""
    package = tmp_path_factory.mktemp("source") / "polygraft"
    for folder in ("", "assembly", "tracking", "__pycache__"):
        (package / folder).mkdir(exist_ok=True)
        (package / folder / "__init__.py").touch()
    (package / "assembly" / "pyfunc.py").write_text(LOADER)
    loader = Path(model_upload.__file__).with_name("polygraft_loader.py")
    (package / "tracking" / loader.name).write_text(loader.read_text())
    return package


@pytest.fixture(scope="module")
def registered(tmp_path_factory, package) -> tuple[str, list[MlflowTracker], list[Version]]:
    """A database with three versions of `flights`, each of a run of its own."""
    storage = tmp_path_factory.mktemp("runs")
    uri = tracking_uri(None, {}, None, storage)[0]
    folder = storage / "flights" / "run" / "model"
    folder.mkdir(parents=True)
    runs, versions = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_upload, "PACKAGE", package)
        for number in (1, 2, 3):
            (folder / "suite.yaml").write_text(f"suite: flights\nseed: {number}\n")
            run = open_run(uri, RunFacts(f"flights-{number}", "flights", storage))
            run.log({"test/late/auc": 0.7 + number / 100, "train/late/loss": 0.5}, 100)
            versions.append(ModelRegistry(uri).register("flights", log_model(run, folder, EXAMPLE, PREDICTIONS), run))
            runs.append(run)
    return uri, runs, versions


def test_the_first_version_is_champion_and_the_newest_challenger(registered):
    uri, runs, versions = registered
    assert [(each.number, each.aliases) for each in versions] == [
        (1, ("champion",)),
        (2, ("challenger",)),
        (3, ("challenger",)),
    ]
    listed = ModelRegistry(uri).versions()
    assert [(each.number, each.aliases) for each in listed] == [(3, ("challenger",)), (2, ()), (1, ("champion",))]
    assert (listed[0].run_id, listed[0].mlflow_run_id) == ("flights-3", runs[2].run_id)
    assert listed[0].metrics == {"test/late/auc": 0.73}
    assert 0 <= listed[0].age_s < 300


def test_a_run_that_is_continued_registers_once(registered):
    uri, runs, versions = registered
    again = ModelRegistry(uri).register("flights", "models:/m-whatever", runs[0])
    assert again == versions[0]
    assert len(ModelRegistry(uri).versions("flights")) == 3


@pytest.mark.parametrize(
    ("operand", "seed"),
    [
        ("flights", 1),
        ("flights@champion", 1),
        ("flights@challenger", 3),
        ("flights/2", 2),
        ("models:/flights/2", 2),
        ("models:/flights@challenger", 3),
    ],
)
def test_operands(registered, operand, seed):
    folder = ModelRegistry(registered[0]).resolve(operand)
    assert (folder / "suite.yaml").read_text() == f"suite: flights\nseed: {seed}\n"


def test_a_model_of_a_run_and_folders_are_operands_too(registered, tmp_path, monkeypatch):
    uri, runs, _ = registered
    registry = ModelRegistry(uri)
    assert "seed: 2" in (registry.resolve(f"runs:/{runs[1].run_id}/model") / "suite.yaml").read_text()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "suite.yaml").write_text("suite: mine\n")
    monkeypatch.chdir(tmp_path)
    assert registry.resolve("mine") == Path("mine")
    assert registry.resolve(f"{tmp_path}/mine") == tmp_path / "mine"
    assert registry.resolve("./mine") == Path("mine")


@pytest.mark.parametrize(
    ("operand", "words"),
    [
        ("fligths", "no model is called 'fligths'. Did you mean 'flights'?"),
        ("census", "no model is called 'census'. There are flights."),
        (
            "flights@best",
            "flights: the model has no alias 'best'; it has challenger, champion. flights/1 is a version.",
        ),
        ("flights/9", "flights: the model has no version 9; it has 1, 2, 3."),
        ("./nowhere", "./nowhere: there is no such model folder."),
        ("models:/flights/9", "flights: the model has no version 9"),
        ("models:/m-0000", "MLflow cannot be used: Logged model with ID 'm-0000' not found"),
        ("runs:/0000/model", "MLflow cannot be used: Run with id=0000 not found"),
    ],
)
def test_what_is_no_model_is_answered_with_what_there_is(registered, operand, words):
    with pytest.raises(UserError) as refused:
        ModelRegistry(registered[0]).resolve(operand)
    assert re.search(words, str(refused.value))


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(UserError) as refused:
        model_folder(tmp_path)
    assert str(refused.value) == f"{tmp_path}: this folder holds no model: it has neither suite.yaml nor MLmodel."


def test_no_pickle_travels_and_signature_and_example_do(registered):
    model = ModelRegistry(registered[0]).resolve("flights")
    while not (model / "MLmodel").is_file():
        model = model.parent
    names = {path.name for path in model.rglob("*")}
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".pth", ".pyc")) or name == "__pycache__"]
    assert json.loads((model / "input_example.json").read_text())["columns"] == ["distance", "month"]
    words = (model / "MLmodel").read_text()
    assert "loader_module: polygraft_loader" in words
    assert '"late"' in words
    assert "torch==" in (model / "requirements.txt").read_text()


def in_a_new_process(code: str) -> str:
    allowed = {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    asked = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | allowed, timeout=120, check=False
    )
    assert asked.returncode == 0, asked.stderr
    return asked.stdout.splitlines()[-1]


def test_a_process_without_polygraft_loads_a_model_without_pickle_by_the_copy_that_travels(registered):
    model = ModelRegistry(registered[0]).resolve("flights").parents[1]
    source = Path(model_upload.__file__).parents[2]
    answer = in_a_new_process(
        f"import sys; sys.path = [path for path in sys.path if path != {str(source)!r}]\n"
        f"import mlflow, pandas as pd; model = mlflow.pyfunc.load_model({str(model)!r})\n"
        "frame = pd.DataFrame({'distance': [1.0, 6.0], 'month': ['a', 'b']})\n"
        "import polygraft; print(polygraft.__file__, model.predict(frame)['late'].tolist())"
    )
    assert answer == f"{model}/code/polygraft_carried/polygraft/__init__.py [0.25, 1.5]"


def test_an_installed_polygraft_is_not_shadowed_by_the_copy(registered, tmp_path):
    """What MLflow does, without MLflow: the model's code comes first on the path."""
    model = ModelRegistry(registered[0]).resolve("flights").parents[1]
    for folder in ("polygraft", "polygraft/assembly"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
    (tmp_path / "polygraft" / "assembly" / "pyfunc.py").write_text("def _load_pyfunc(path): return 'the installed one'")
    answer = in_a_new_process(
        f"import sys; sys.path[:0] = [{str(model / 'code')!r}, {str(tmp_path)!r}]\n"
        "import polygraft_loader; print(polygraft_loader._load_pyfunc('data'))\n"
    )
    assert answer == "the installed one"


def test_what_a_model_requires_is_what_we_require():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    ours = {re.match(r"[\w.-]+", line)[0] for line in project["dependencies"]}
    assert set(REQUIREMENTS) <= ours


def test_a_zone_is_taken_from_an_example_and_the_moment_stays():
    zoned = pd.DataFrame({"when": pd.to_datetime(["2013-07-01T08:00"]).tz_localize("America/New_York"), "x": [1.5]})
    plain = without_zones(zoned)
    assert plain.when.tolist() == [pd.Timestamp("2013-07-01T12:00")]
    assert plain.x.tolist() == [1.5]
    assert without_zones(plain).equals(plain)
