"""Objects in pictures and horizons of series, from a file to a served model: learned, exact for any number of workers, nothing lost."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from polygraft.assembly.job import lay_out, work
from polygraft.assembly.model import Model
from polygraft.assembly.run import STOP, Run
from polygraft.assembly.scoring import evaluate
from polygraft.core.errors import UserError
from polygraft.suite.load import read
from polygraft.suite.origin import Origin
from polygraft.suite.schema import Suite
from same_end import assert_same_end
from unlabelled_runs import on_ranks

STEPS = {"things": 240, "loads": 40}
TRAIN = {"batch_size": 33, "shards": 5, "optimizer": {"name": "adamw", "lr": 0.01}, "clip": 5.0}
THINGS = {
    "data": {
        "things": {
            "source": "things.parquet",
            "columns": {"photo": "image"},
            "stem": {"name": "image", "offers": "maps"},
        }
    },
    "backbone": {"name": "feature_pyramid", "widths": [8, 16], "strides": [2, 2], "width": 16},
    "balancer": {"name": "pcgrad"},
    "tasks": {
        "thing": {
            "data": "things",
            "target": ["box", "kind"],
            "objective": {"name": "detection", "most": 5, "candidates": 20},
        },
        "count": {"data": "things", "target": "count", "objective": "regression"},
    },
}
LOADS = {
    "data": {
        "loads": {
            "source": "loads.parquet",
            "drop": ["load", "site", "when"],
            "series": {
                "time": "when",
                "by": ["site"],
                "season": 24,
                "windows": {"load": 24},
                "ahead": {"load": [1, 24]},
            },
            "split": {"by": "time", "column": "when"},
        }
    },
    "backbone": {"name": "mlp", "widths": [16]},
    "tasks": {
        name: {
            "data": "loads",
            "target": ["load ahead 1", "load ahead 24"],
            "objective": {"name": "forecast", "loss": loss},
        }
        for name, loss in (("next", "quantile"), ("same", "mse"))
    },
}
RAW = {"things": THINGS, "loads": LOADS}


def things() -> pd.DataFrame:
    """Dark pictures of 24 x 24 pixels with none to two bright things that are tall or wide."""
    chance = np.random.default_rng(0)
    rows = []
    for _ in range(400):
        photo, boxes, kinds = chance.integers(0, 40, (24, 24), np.uint8), [], []
        for half in range(chance.integers(0, 3)):
            wide = chance.random() < 0.5
            high, across = (4, 9) if wide else (9, 4)
            left, top = 12 * half + chance.integers(0, 12 - across + 1), chance.integers(0, 24 - high)
            photo[top : top + high, left : left + across] = 220
            boxes.append([float(left), float(top), float(left + across), float(top + high)])
            kinds.append("wide" if wide else "tall")
        out = io.BytesIO()
        Image.fromarray(photo).save(out, "PNG")
        rows.append({"photo": out.getvalue(), "box": boxes, "kind": kinds, "count": len(kinds)})
    return pd.DataFrame(rows)


def loads() -> pd.DataFrame:
    """Hours of three sites with a rhythm of the day, and gaps."""
    chance, hours = np.random.default_rng(0), np.arange(24 * 12)
    frame = pd.DataFrame({"when": np.tile(pd.Timestamp("2024-01-01") + pd.to_timedelta(hours, "h"), 3)})
    frame["site"] = np.repeat(["a", "b", "c"], len(hours))
    frame["load"] = np.tile(np.sin(hours * np.pi / 12), 3) + chance.normal(0, 0.1, len(frame))
    frame.loc[chance.choice(len(frame), 40, replace=False), "load"] = np.nan
    return frame


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    things().to_parquet(folder / "things.parquet")
    loads().to_parquet(folder / "loads.parquet")
    return folder


def suite(home: Path, kind: str) -> Suite:
    steps = STEPS[kind]
    train = {**TRAIN, "steps": steps, "evaluate_every": steps // 2, "log_every": steps // 4}
    return read({"suite": kind, "seed": 1, **RAW[kind], "train": train}, Origin("suite.yaml", home, {}))


def laid_out(home: Path, kind: str, name: str) -> Path:
    folder = home / "runs" / f"{kind}-{name}"
    folder.mkdir(parents=True)
    lay_out(suite(home, kind), folder)
    return folder


@pytest.fixture(scope="module")
def alone(home: Path) -> dict[str, Run]:
    """A run of each in this process, undisturbed."""
    return {kind: work(laid_out(home, kind, "alone"), attempt=1) for kind in RAW}


@pytest.mark.slow
def test_things_are_found_and_named(alone: dict[str, Run]) -> None:
    found = alone["things"].metrics
    assert found["thing/map50"] > 0.9
    assert found["thing/iou"] > 0.6
    assert found["thing/accuracy"] > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("kind", RAW)
def test_the_number_of_workers_does_not_change_a_bit_nor_does_a_stop(
    home: Path, alone: dict[str, Run], kind: str
) -> None:
    """Three workers hold one, two and two of the five shards; then one is stopped three times and goes on."""
    folder = laid_out(home, kind, "three")
    on_ranks(3, {kind: folder})
    assert_same_end(folder, alone[kind].folder)
    folder = laid_out(home, kind, "stopped")
    (folder / STOP).touch()
    for attempt in range(1, 4):
        work(folder, attempt=attempt)
    (folder / STOP).unlink()
    work(folder, attempt=4)
    assert_same_end(folder, alone[kind].folder)


@pytest.mark.slow
def test_a_model_scores_a_file_and_shows_lists_of_boxes(home: Path, alone: dict[str, Run], tmp_path: Path) -> None:
    model, rows = Model.load(alone["things"].folder / "model"), pd.read_parquet(home / "things.parquet")
    assert evaluate(model, home / "things.parquet")["thing/map50"] > 0.9
    shown = model.predict(rows.drop(columns=["box", "kind", "count"]))
    shown.to_parquet(tmp_path / "out.parquet")
    back = pd.read_parquet(tmp_path / "out.parquet")
    assert list(back.columns) == ["thing", "thing_boxes", "thing_scores", "count"]
    right = [sorted(a) == sorted(b) for a, b in zip(back["thing"], rows["kind"], strict=True)]
    assert np.mean(right) > 0.8
    assert [len(each) for each in back["thing_boxes"]] == [len(each) for each in back["thing_scores"]]


@pytest.mark.slow
def test_forecasts_are_scored_by_the_seasonal_naive_error(home: Path, alone: dict[str, Run]) -> None:
    found = alone["loads"].metrics
    assert 0 < found["next/mase"] < 2
    assert 0 <= found["next/coverage"] <= 1
    model = Model.load(alone["loads"].folder / "model")
    assert evaluate(model, home / "loads.parquet")["same/mase"] > 0
    assert {"load ahead 1", "load ahead 24 q0.9"} < {*model.predict(loads()).columns}


def test_a_trunk_without_maps_is_refused_with_the_mend(home: Path, tmp_path: Path) -> None:
    raw = {**THINGS, "backbone": {"name": "mlp"}, "train": {"steps": 2, "batch_size": 8, "shards": 1}}
    raw["data"] = {"things": {"source": "things.parquet", "columns": {"photo": "image"}}}
    folder = tmp_path / "run"
    folder.mkdir()
    lay_out(read({"suite": "things", **raw}, Origin("suite.yaml", home, {})), folder)
    with pytest.raises(UserError, match="its head 'boxes' reads maps; the backbone 'mlp' offers a vector"):
        work(folder, attempt=1)
