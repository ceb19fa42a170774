"""Trunks of sequences and maps from a file to a served model, through the command line; what is learned hangs on order or place alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polygraft.assembly.model import load_model
from polygraft.cli.main import run as polygraft

pytestmark = pytest.mark.slow

SUITE = """
suite: steps
seed: 1
data:
  rows: {source: rows.parquet, DATA, split: {test: 0.3}}
backbone: BACKBONE
tasks:
  first: {data: rows, target: first, objective: classification}
  odd: {data: rows, target: odd, objective: classification}
balancer: pcgrad
train: {steps: 150, batch_size: 64, shards: 4, evaluate_every: 75, optimizer: {name: adamw, lr: 0.01}}
"""
TOKENS = "columns: {x: list}, stem: {name: tokens, width: 16, offers: sequence}"
IMAGES = "columns: {x: image}, stem: {name: image, offers: maps}"


def sequences() -> pd.DataFrame:
    """Which of two letters stands first, in rows of many lengths whose letters are the same; and which comes last."""
    chance, rows = np.random.default_rng(0), []
    for _ in range(700):
        letters = ["a", "b", *chance.choice(list("cdef"), chance.integers(0, 9))]
        chance.shuffle(letters)
        rows.append((letters, letters.index("a") < letters.index("b"), letters[-1] in "ace"))
    return pd.DataFrame(rows, columns=["x", "first", "odd"])


def pictures() -> pd.DataFrame:
    """A bar that lies or stands, anywhere; and whether it is bright."""
    chance, rows = np.random.default_rng(0), []
    for _ in range(500):
        picture, lies, light = np.zeros((9, 9), np.uint8), chance.random() < 0.5, chance.integers(60, 255)
        top, left = chance.integers(0, 5, 2)
        bar = picture if lies else picture.T
        bar[top, left : left + 5] = light
        rows.append((picture.reshape(-1).tolist(), lies, light > 150))
    return pd.DataFrame(rows, columns=["x", "first", "odd"])


@pytest.mark.parametrize(
    ("backbone", "data", "frame"),
    [
        ("{name: lstm, widths: [24], bidirectional: true, project: 16}", TOKENS, sequences),
        ("{name: transformer, heads: 2, positions: rotary}", TOKENS, sequences),
        ("{name: cnn, widths: [12, 24]}", IMAGES, pictures),
    ],
    ids=["lstm", "transformer", "cnn"],
)
def test_a_trunk_learns_what_a_bag_of_its_parts_cannot_tell(tmp_path: Path, monkeypatch, capsys, backbone, data, frame):
    monkeypatch.chdir(tmp_path)
    frame().to_parquet("rows.parquet")
    Path("suite.yaml").write_text(SUITE.replace("BACKBONE", backbone).replace("DATA", data))
    assert polygraft(["train", "suite.yaml", "--json"]) == 0
    run = json.loads(capsys.readouterr().out)
    assert run["metrics"]["first/auc"] > 0.9
    assert run["metrics"]["odd/auc"] > 0.9
    model, rows = load_model("steps"), pd.read_parquet("rows.parquet")
    predicted, few = model.predict(rows), model.predict(rows.head(3))  # another chunk, so another padded length
    for column in predicted.select_dtypes("number"):
        np.testing.assert_allclose(few[column], predicted[column].head(3), rtol=1e-4, atol=1e-6)
