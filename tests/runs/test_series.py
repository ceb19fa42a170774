"""A table of moments, from its file to a served model, through the command line: the next hour and the next day of several sites."""

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
suite: loads
seed: 1
data:
  loads:
    source: loads.parquet
    columns: {weekend: category}
    series:
      time: when
      by: [site]
      lags: {load: [1, 24]}
      windows: {load: 48, weather: {length: 6, lag: 1}}
      ahead: {load: [1, 24]}
    split: {by: time, column: when}
backbone: {name: mlp, widths: [64]}
tasks:
  next_hour: {data: loads, target: load ahead 1, objective: regression}
  next_day: {data: loads, target: load ahead 24, objective: regression}
train: {steps: 300, batch_size: 128, shards: 4, evaluate_every: 150, optimizer: {name: adamw, lr: 0.01}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Loads with a daily rhythm of each site's own phase, and a memory of a few hours; rows in no order."""
    folder = tmp_path_factory.mktemp("series")
    chance = np.random.default_rng(0)
    hours = np.arange(24 * 60)
    frames = []
    for site in range(6):
        slow = np.convolve(chance.normal(size=len(hours) + 9), np.full(10, 0.3), "valid")
        load = 5 + 2 * np.sin((hours + 4 * site) * np.pi / 12) + slow
        frames.append(
            pd.DataFrame(
                {
                    "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(hours, "h"),
                    "site": f"s{site}",
                    "weather": chance.choice(["sun", "rain"], len(hours)),
                    "weekend": (hours // 24 % 7 >= 5).astype(int),
                    "load": load,
                }
            )
        )
    pd.concat(frames).sample(frac=1, random_state=0, ignore_index=True).to_parquet(folder / "loads.parquet")
    (folder / "suite.yaml").write_text(SUITE)
    return folder


def test_a_series_is_learned_from_scored_and_served(home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    assert polygraft(["train", "suite.yaml", "--json"]) == 0
    run = json.loads(capsys.readouterr().out)
    assert run["metrics"]["next_hour/r2"] > 0.85
    assert run["metrics"]["next_day/r2"] > 0.5
    assert polygraft(["evaluate", "loads", "loads.parquet", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["metrics"]
    assert scores["next_hour/r2"] > 0.85
    assert polygraft(["predict", "loads", "loads.parquet", "out.parquet"]) == 0
    predicted = pd.read_parquet("out.parquet")
    assert len(predicted) == 6 * 24 * 60
    # The last hour of a site with the two days before it is predicted as it is among all rows.
    whole = pd.read_parquet("loads.parquet")
    last = whole[whole["site"] == "s2"].sort_values("when").tail(49)
    few = load_model("loads").predict(last)
    np.testing.assert_allclose(few["next_day"].iloc[-1], predicted["next_day"][last.index[-1]], rtol=1e-5)
    alone = load_model("loads").predict(last.tail(1))
    assert np.isfinite(alone["next_day"]).all()


def test_the_quality_of_its_raw_columns_is_told_whatever_lies_ahead_of_them(home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    rain = "  rain: {data: loads, target: weather ahead 1, objective: classification}\ntrain:"
    text = SUITE.replace("ahead: {load: [1, 24]}", "ahead: {load: [1, 24], weather: [1]}").replace("train:", rain)
    (home / "rain.yaml").write_text(text)
    assert polygraft(["check", "rain.yaml", "--data", "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert table["columns"] == 5
    assert "drift" in {each["check"] for each in table["findings"]}


def test_the_guide_to_sequences_shows_this_table(repository: Path) -> None:
    first = re.findall(
        r"^```yaml\n(.*?)^```", (repository / "docs/sequences.md").read_text(), re.DOTALL | re.MULTILINE
    )[0]
    assert first in SUITE
