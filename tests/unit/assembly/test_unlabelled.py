"""Suites whose tasks have no target: what they are refused for, with the line and the mend, and what mode they are balanced in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polygraft.assembly.experiments import experiment
from polygraft.assembly.tables import prepare_tables
from polygraft.core.errors import UserError
from polygraft.suite.load import load

SUITE = """suite: own
data:
  rows: {source: rows.csv}
backbone: {name: mlp, widths: [16, 8]}
tasks:
  late: {data: rows, target: late, objective: classification}
  own:
    data: rows
    objective: OBJECTIVE
    EXTRA
balancer: {name: BALANCER}
train: {steps: 5, batch_size: 32, step: STEP}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    chance = np.random.default_rng(0)
    x = chance.normal(size=200)
    pd.DataFrame({"x": x, "kind": chance.choice(list("abc"), 200), "late": x > 0}).to_csv(
        folder / "rows.csv", index=False
    )
    return folder


def begun(home: Path, objective: str, extra: str = "", balancer: str = "pcgrad", step: str = "joint"):
    text = SUITE.replace("OBJECTIVE", objective).replace("EXTRA", extra).replace("BALANCER", balancer)
    text = text.replace("STEP", step)
    (home / "suite.yaml").write_text(text)
    said = load(home / "suite.yaml")
    return experiment(said, prepare_tables(said, home / "cache"))


@pytest.mark.parametrize(
    ("objective", "extra", "said"),
    [
        (
            "gan",
            "",
            "suite.yaml:9: tasks.own.objective: it reads numbers and image, and the table has categories. "
            "Drop the column, or take another objective.",
        ),
        (
            "autoencoder",
            "target: x",
            "suite.yaml:10: tasks.own.target: 'autoencoder' learns without labels. Leave target out, or take an objective "
            "that predicts it.",
        ),
        (
            "{name: autoencoder, pixels: bernoulli}",
            "",
            "suite.yaml:9: tasks.own.objective: pixels: bernoulli is of images, and the table has none. Take squared.",
        ),
        (
            "vae",
            "head: image_decoder",
            "suite.yaml:10: tasks.own.head: it draws the one image of a table that has no other column. Take head: dense.",
        ),
        ("regression", "", "suite.yaml:7: tasks.own.target: is missing; 'regression' predicts one column."),
    ],
)
def test_what_an_objective_cannot_do_is_refused_with_its_line(home, objective, extra, said) -> None:
    with pytest.raises(UserError) as caught:
        begun(home, objective, extra)
    assert str(caught.value).removeprefix(f"{home}/").startswith(said)


@pytest.mark.parametrize(
    ("objective", "mode"),
    [
        ("autoencoder", "last_layer"),
        ("vae", "last_layer"),
        ("{name: autoencoder, noise: gaussian}", "parameters"),
        ("masked", "parameters"),
        ("contrastive", "parameters"),
    ],
)
def test_a_task_with_a_pass_of_its_own_is_compared_by_parameters(home, objective, mode) -> None:
    assert begun(home, objective).gradients.mode == mode


def test_a_mode_at_the_cut_is_refused_where_a_task_has_a_pass_of_its_own(home) -> None:
    with pytest.raises(UserError, match=r"the network names no last shared layer\. Take parameters\."):
        begun(home, "masked", balancer="pcgrad, gradients: last_layer")


def test_two_players_are_refused_where_workers_learn_apart(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tests.unit.assembly.test_unlabelled.SUITE", SUITE.replace("rows.csv}", "rows.csv, drop: [kind]}")
    )
    with pytest.raises(
        UserError, match=r"suite.yaml:\d+: train.step: 'asynchronous' moves one player a task, and 'own/generator'"
    ):
        begun(home, "gan", balancer="equal", step="asynchronous}\nworkers: {count: 2")


@pytest.mark.parametrize("objective", ["{name: autoencoder, code: 4}", "vae", "masked", "contrastive", "gan"])
def test_a_backbone_of_maps_that_sums_them_up_is_enough(home: Path, monkeypatch: pytest.MonkeyPatch, objective) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 64)).tolist()
    pd.DataFrame({"photo": pixels, "late": np.arange(200) % 2 == 0}).to_parquet(home / "photos.parquet")
    suite = SUITE.replace(
        "{source: rows.csv}", "{source: photos.parquet, columns: {photo: image}, stem: {name: image, offers: maps}}"
    )
    monkeypatch.setattr(
        "tests.unit.assembly.test_unlabelled.SUITE",
        suite.replace("{name: mlp, widths: [16, 8]}", "{name: cnn, widths: [4, 8]}"),
    )
    running = begun(home, objective, balancer="equal")
    state = running.state(None)
    assert set(running.step.update(state, running.stream).losses) == {"late", "own"}
