"""A table of PNG files and a number, from its file to a served model, through the command line."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from polygraft.assembly.model import load_model
from polygraft.cli.main import run as polygraft

pytestmark = pytest.mark.slow

SUITE = """
suite: digits
seed: 1
data:
  digits:
    source: digits.parquet
    encode: {photo: {name: image, shift: 1, mixup: 0.2}}
    split: {test: 0.3}
backbone: {name: mlp, widths: [64]}
tasks:
  digit: {data: digits, target: digit, objective: classification}
  ink: {data: digits, target: ink, objective: regression}
train: {steps: 300, batch_size: 64, shards: 4, evaluate_every: 150, optimizer: {name: adamw, lr: 0.01}}
"""


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray((pixels * 15).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Which digit an image shows, and how much ink it and a blot beside it took."""
    folder = tmp_path_factory.mktemp("digits")
    pixels, digit = load_digits(return_X_y=True)
    blot = np.random.default_rng(0).normal(0, 50, len(digit))
    frame = pd.DataFrame({"photo": [png(each) for each in pixels.reshape(-1, 8, 8)], "blot": blot})
    frame["digit"], frame["ink"] = [f"a {each}" for each in digit], pixels.sum(1) + blot
    frame.to_parquet(folder / "digits.parquet")
    (folder / "suite.yaml").write_text(SUITE)
    return folder


def test_images_are_learned_from_scored_and_served(home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    assert polygraft(["train", "suite.yaml", "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    assert metrics["digit/accuracy"] > 0.8  # by chance: .1
    assert metrics["ink/r2"] > 0.8
    rows = pd.read_parquet("digits.parquet")
    predicted = load_model("digits").predict(rows)
    assert polygraft(["predict", "digits", "digits.parquet", "out.parquet"]) == 0
    pd.testing.assert_frame_equal(pd.read_parquet("out.parquet"), predicted, check_exact=True)


def test_the_guide_shows_this_table(repository: Path) -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", (repository / "docs/images.md").read_text(), re.DOTALL | re.MULTILINE)
    assert block in SUITE
