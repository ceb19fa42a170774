"""What a trained model gets wrong by group is told by `check --data`: as pandas counts it, of the run that saw these rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polygraft.assembly.group_errors import errors_by_group
from polygraft.assembly.model import Model
from polygraft.assembly.tables import table_spec
from polygraft.cli.main import run as polygraft
from polygraft.data.opened import opened
from polygraft.data.splits import TEST
from polygraft.suite.load import load

pytestmark = pytest.mark.slow

SUITE = """
suite: people
seed: 1
data:
  people: {source: people.parquet, split: {test: 0.4}}
backbone: {name: mlp, widths: [16]}
tasks:
  rich: {data: people, target: rich, objective: classification}
  age: {data: people, target: age, objective: regression}
train: {steps: 200, batch_size: 128, evaluate_every: 100, optimizer: {name: adamw, lr: 0.01}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whether somebody is rich follows from x among the men, and from a coin among a third of the women."""
    folder = tmp_path_factory.mktemp("people")
    chance = np.random.default_rng(0)
    sex, x = chance.choice(["f", "m"], 4000), chance.normal(size=4000)
    coin = (chance.random(4000) < 1 / 3) & (sex == "f")
    rich = np.where(coin, chance.random(4000) < 0.5, x > 0)
    age = 40 + 5 * x + chance.normal(size=4000)
    pd.DataFrame({"sex": sex, "x": x, "rich": rich, "age": age}).to_parquet(folder / "people.parquet")
    (folder / "suite.yaml").write_text(SUITE)
    return folder


def found(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    assert polygraft(["check", "suite.yaml", "--data", "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    return [each for each in table["findings"] if each["check"] == "group_errors"]


def test_errors_by_group_are_told_after_training_and_no_longer_when_the_rows_are_others(home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    assert found(capsys) == []
    assert polygraft(["train", "suite.yaml", "--json"]) == 0
    run = json.loads(capsys.readouterr().out)
    (finding,) = found(capsys)
    assert finding["place"] == "columns.sex"
    assert "rich: the share of rows that are wrong is" in finding["words"]
    assert run["run_id"] in finding["words"]
    assert "group: sex, task: rich" in finding["mend"]

    suite = load("suite.yaml")
    table = opened(table_spec(suite, "people"), home / "runs" / "cache")
    ((_, parts),) = table.blocks()
    rows = pd.read_parquet("people.parquet")[parts == TEST]
    predicted = Model.load(Path(run["run_dir"]) / "model").predict(rows)
    label = next(name for name in predicted.columns if name == "rich" or name.startswith("rich_label"))
    wrong = predicted[label].astype(str).str.lower() != rows["rich"].astype(str).str.lower()
    told = {(each.task, each.group): each for each in errors_by_group(suite, table, home / "runs")}
    for group in ("f", "m"):
        mine = rows["sex"] == group
        assert told["rich", group].error == pytest.approx(wrong[mine].mean(), abs=1e-9)
        assert told["rich", group].rows == mine.sum()
        far = (predicted["age"] - rows["age"])[mine].abs()
        assert told["age", group].error == pytest.approx(far.mean(), rel=1e-5)
        assert told["age", group].deviation == pytest.approx(far.std(ddof=0), rel=1e-4)

    pd.read_parquet("people.parquet").iloc[1:].to_parquet("people.parquet")
    assert found(capsys) == []
