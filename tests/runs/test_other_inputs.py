"""A table with a number, a category, lists and a text, from its file to a served model, through the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polygraft.assembly.model import load_model
from polygraft.cli.main import run as polygraft

pytestmark = pytest.mark.slow

SUITE = """
suite: lists
seed: 1
data:
  visits:
    source: visits.parquet
    columns: {note: text}
    encode: {note: {name: text, by: byte_pairs, vocabulary: 400}}
    split: {test: 0.3}
backbone: {name: mlp, widths: [32]}
tasks:
  bought: {data: visits, target: bought, objective: classification}
  angry: {data: visits, target: angry, objective: classification}
  spent: {data: visits, target: spent, objective: regression}
train: {steps: 200, batch_size: 64, shards: 4, evaluate_every: 100, optimizer: {name: adamw, lr: 0.01}}
"""

WORDS = ["refund", "thanks", "Please", "again,", "box", "blue", "Größe", "late."]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whether somebody bought hangs on one item that was seen, and what was spent on the mean of the prices, and anger on a word."""
    folder = tmp_path_factory.mktemp("lists")
    chance = np.random.default_rng(0)
    seen = [chance.choice(list("abcdefgh"), chance.integers(0, 9)).tolist() for _ in range(900)]
    prices = [chance.normal(5, 2, chance.integers(1, 30)).tolist() for _ in range(900)]
    frame = pd.DataFrame({"age": chance.normal(40, 9, 900), "town": chance.choice(list("xyz"), 900), "seen": seen})
    frame["prices"], frame["bought"] = prices, ["yes" if "c" in each else "no" for each in seen]
    notes = [chance.choice(WORDS, chance.integers(1, 12)).tolist() for _ in range(900)]
    frame["note"], frame["angry"] = [" ".join(each) for each in notes], ["refund" in each for each in notes]
    frame["spent"] = [float(np.mean(each)) for each in prices]
    frame.to_parquet(folder / "visits.parquet")
    (folder / "suite.yaml").write_text(SUITE)
    return folder


def test_lists_and_texts_are_learned_from_scored_and_served(home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    assert polygraft(["train", "suite.yaml", "--json"]) == 0
    run = json.loads(capsys.readouterr().out)
    assert run["metrics"]["bought/auc"] > 0.9
    assert run["metrics"]["angry/auc"] > 0.9
    assert run["metrics"]["spent/r2"] > 0.8
    assert polygraft(["evaluate", "lists", "visits.parquet", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["metrics"]
    assert scores["bought/auc"] > 0.9
    rows = pd.read_parquet("visits.parquet")
    model = load_model("lists")
    predicted = model.predict(rows)
    assert polygraft(["predict", "lists", "visits.parquet", "out.parquet"]) == 0
    pd.testing.assert_frame_equal(pd.read_parquet("out.parquet"), predicted, check_exact=True)
    few = model.predict(rows.head(3))  # another chunk, so another padded length
    np.testing.assert_allclose(few["spent"], predicted["spent"].head(3), rtol=1e-5)


def test_the_guide_to_texts_shows_this_table(repository: Path) -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", (repository / "docs/text.md").read_text(), re.DOTALL | re.MULTILINE)
    assert block in SUITE


def test_predicting_tells_of_each_column_how_many_rows_hold_what_training_did_not_know(home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    assert polygraft(["train", "suite.yaml", "--set", "train.steps=2", "--run", "brief", "--json"]) == 0
    frame = pd.read_parquet("visits.parquet").head(10)
    frame.loc[:3, "town"] = "nowhere"
    frame.to_parquet("strange.parquet")
    capsys.readouterr()
    assert polygraft(["predict", "lists", "strange.parquet", "out.parquet", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["unknown"] == {"town": 4}
    assert "'town': 4 of 10 rows hold what training did not know in it, and are encoded as unknown." in told.err
