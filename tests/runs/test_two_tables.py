"""From two files to predictions for each: init, train, evaluate and predict, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polygraft.cli.main import run as polygraft
from polygraft.tracking.model_registry import ModelRegistry

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tables that have no column in common."""
    folder = tmp_path_factory.mktemp("two")
    chance = np.random.default_rng(0)
    flights = pd.DataFrame(chance.normal(size=(900, 3)), columns=list("abc"))
    flights.assign(late=np.where(flights.a > 0, "y", "n"), delay=10 * flights.b).to_csv(
        folder / "flights.csv", index=False
    )
    weather = pd.DataFrame(chance.normal(size=(300, 4)), columns=list("pqrs"))
    weather.assign(rain=3 * weather.p, wind=list("uvw") * 100).to_csv(folder / "weather.csv", index=False)
    return folder


def test_two_tables_through_the_command_line(home, monkeypatch, capsys):
    def told(*words: str):
        code = polygraft([*words, "--json"])
        out = capsys.readouterr().out
        return code, json.loads(out)

    monkeypatch.chdir(home)
    targets = [word for target in ("late", "delay", "rain") for word in ("--target", target)]
    assert polygraft(["init", "flights.csv", "weather.csv", *targets, "-o", "both"]) == 0
    assert Path("both/suite.yaml").read_text().count("stem: {name: columns, width: 64}") == 2
    capsys.readouterr()
    settings = ["--set", "train.steps=150", "--set", "train.mixture=temperature", "--set", "train.batch_size=32"]
    code, run = told("train", "both/suite.yaml", *settings)
    assert code == 0
    metrics = run["metrics"]
    assert metrics["late/auc"] > 0.9
    assert metrics["delay/r2"] > 0.8
    assert metrics["rain/r2"] > 0.8

    code, scores = told("evaluate", "both", "weather.csv", "--table", "weather")
    assert code == 0
    assert {key.split("/")[0] for key in scores["metrics"]} == {"rain"}
    assert scores["metrics"]["rain/r2"] > 0.8
    assert polygraft(["predict", "both", "weather.csv", "out.csv", "--table", "weather"]) == 0
    assert list(pd.read_csv("out.csv")) == ["rain"]
    assert len(pd.read_csv("out.csv")) == 300
    capsys.readouterr()

    kept = ModelRegistry(f"sqlite:///{home}/runs/mlflow.db").resolve("both")
    described = next(parent for parent in kept.parents if (parent / "MLmodel").is_file()) / "MLmodel"
    signature = described.read_text().partition("signature:")[2]
    assert '"name": "table"' in signature, "MLflow lets rows of either table through"
    assert "rain" not in signature

    code, refused = told("predict", "both", "weather.csv", "out.csv")
    assert code == 2
    assert (
        refused["error"][0]["what"]
        == "the model has the tables flights, weather; say which the rows are of. Found: none."
    )
    assert polygraft(["predict", "both", "weather.csv", "out.csv", "--table", "flights"]) == 2
    assert "the column 'a' (number) is missing" in capsys.readouterr().err
