"""A decoder that copies looks where the letter is that it says, and the report shows it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polygraft.assembly.job import lay_out, work
from polygraft.core.exhibits import Exhibit
from polygraft.report.run_report import write_report
from polygraft.suite.load import read
from polygraft.suite.origin import Origin

pytestmark = pytest.mark.slow

SUITE = {
    "suite": "copying",
    "seed": 1,
    "data": {
        "rows": {
            "source": "rows.parquet",
            "stem": {"name": "tokens", "width": 24, "offers": "sequence"},
            "split": {"by": "column", "column": "part", "test": "test", "validation": 0.1},
        }
    },
    "backbone": {"name": "lstm", "widths": [32], "bidirectional": True},
    "tasks": {
        "copy": {
            "data": "rows",
            "target": "copy",
            "objective": "seq2seq",
            "head": {"name": "decoder", "width": 48, "embedding": 16, "attention": 16},
        }
    },
    "train": {
        "steps": 300,
        "batch_size": 64,
        "shards": 1,
        "evaluate_every": 300,
        "optimizer": {"name": "adamw", "lr": 0.01},
    },
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run over lists of up to seven letters."""
    home = tmp_path_factory.mktemp("copying")
    chance = np.random.default_rng(0)
    lists = [chance.choice(list("abcdefgh"), size).tolist() for size in chance.integers(1, 8, 1200)]
    part = np.where(np.arange(1200) < 60, "test", "train")
    pd.DataFrame({"seen": lists, "copy": lists, "part": part}).to_parquet(home / "rows.parquet")
    folder = home / "runs" / "copying" / "one"
    folder.mkdir(parents=True)
    lay_out(read(SUITE, Origin("suite.yaml", home, {})), folder)
    assert work(folder, attempt=1).metrics["copy/wrong"] < 0.1
    return folder


def test_it_looks_along_the_diagonal(run: Path) -> None:
    shown = [Exhibit.from_json(each) for each in json.loads((run / "exhibits.json").read_text())]
    maps = [each for each in shown if each.kind == "alignment"]
    assert len(maps) == 4
    for each in maps:
        items = len(each.arrays["x"])
        assert each.arrays["y"].tolist() == [*each.arrays["x"], "end"]
        assert each.arrays["z"].sum(1) == pytest.approx(np.ones(items + 1), abs=1e-4)
    right = [each.arrays["z"][:-1].argmax(1) == np.arange(len(each.arrays["x"])) for each in maps]
    assert np.concatenate(right).mean() > 0.8


def test_the_report_draws_it(run: Path) -> None:
    page = write_report(run).read_text()
    assert "copy 1" in page
    assert "end looks most at" in page
