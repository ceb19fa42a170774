"""`polygraft compare`, killed in the middle: the same command ends the study, and no finished run is done again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polygraft.cli.main import run as polygraft
from polygraft.tracking.ledger import Ledger
from polygraft.tracking.mlflow_tracker import open_client, tracking_uri
from waiting import until

pytestmark = pytest.mark.slow

SUITE = """
suite: narrow
data: {t: {source: t.csv}}
backbone: {name: mlp, widths: [1]}                 # one feature for two questions that have nothing in common
tasks:
  left: {data: t, target: left, objective: regression}
  right: {data: t, target: right, objective: regression}
train: {steps: 150, batch_size: 128, log_every: 10, evaluate_every: 50, save_every: 20, optimizer: {name: adamw, lr: 0.02}}
"""
COMMAND = ["compare", "suite.yaml", "--seeds", "1"]
"""Five runs: jointly, each task alone, and static weights; of their three candidates the equal ones are the joint run."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with a study that was killed in the middle of its third run."""
    folder = tmp_path_factory.mktemp("compare")
    chance = np.random.default_rng(0)
    table = pd.DataFrame(chance.normal(size=(1200, 4)), columns=list("abcd"))
    table["left"] = table.a + table.b + 0.1 * chance.normal(size=1200)
    table["right"] = table.c - table.d + 0.1 * chance.normal(size=1200)
    table.to_csv(folder / "t.csv", index=False)
    (folder / "suite.yaml").write_text(SUITE)
    strike(folder, COMMAND, lambda: _saved(folder))
    return folder


def strike(folder: Path, words: list[str], there: Callable[[], bool]) -> None:
    """Begin the command, and kill it with SIGKILL when it is there."""
    binary = str(Path(sys.executable).with_name("polygraft"))
    process = subprocess.Popen([binary, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert until(lambda: there() or process.poll() is not None, 180)
        assert process.poll() is None, process.communicate()[1]
        process.send_signal(signal.SIGKILL)
        assert process.communicate(timeout=60)[0] == "", "something was printed before the study was at its end"
    finally:
        process.kill()


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(home)
    return home


def _saved(folder: Path) -> bool:
    """Whether two runs are in the ledger and the third has a checkpoint."""
    third = folder.glob("runs/narrow-compare/alone-right-*/checkpoints/step-*/manifest.json")
    return len(_ledger(folder).entries()) == 2 and any(third)


def _ledger(folder: Path) -> Ledger:
    found = list(folder.glob("runs/narrow/compare/*/ledger.jsonl"))
    return Ledger(found[0] if found else folder / "none")


def _attempts(folder: Path) -> dict[str, int]:
    """By run, how often it was begun."""
    found = folder.glob("runs/narrow-compare/*/attempt.json")
    return {each.parent.name: json.loads(each.read_text())["number"] for each in found if not each.parent.is_symlink()}


def test_it_goes_on_after_a_kill_without_doing_a_finished_run_again(here: Path, capsys) -> None:
    before = _ledger(here).path.read_bytes()
    assert polygraft([*COMMAND, "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["runs"], told["left"], told["rows"]) == (5, 3, [])
    assert _ledger(here).path.read_bytes() == before, "a dry run did something"
    assert polygraft([*COMMAND, "--csv", "table.csv"]) == 0
    out, words = capsys.readouterr()
    assert "5 runs at 1 seed, 3 of them to do: about" in words
    assert words.index("about") < words.index("run 3 of at most 5"), "what it takes is said first"
    assert sorted(_attempts(here).values()) == [1, 1, 1, 1, 2]
    assert _ledger(here).path.read_bytes().startswith(before), "the ledger was rewritten"
    assert len(_ledger(here).entries()) == 5
    assert "joint training LOSES at the one seed there is, which is no proof" in out
    assert "One seed: no intervals." in out


def test_asked_again_it_does_nothing_and_says_the_same(here: Path, capsys) -> None:
    assert polygraft([*COMMAND, "--json"]) == 0
    out, words = capsys.readouterr()
    assert "5 runs at 1 seed, all done before" in words
    told = json.loads(out)
    assert (told["left"], told["failed"], told["minutes"]) == (0, {}, 0)
    assert sorted(_attempts(here).values()) == [1, 1, 1, 1, 2]
    (single, static) = told["verdicts"]
    assert (single["against"], single["result"]) == ("single", "behind")
    assert single["delta_m"]["half"] is None
    assert set(single["tasks"]) == {"left", "right"}
    assert static["against"] == "static"
    assert sum(told["static_weights"].values()) == pytest.approx(2)


def test_the_csv_has_a_line_for_each_figure_of_each_arm(here: Path) -> None:
    table = pd.read_csv("table.csv")
    assert list(table) == ["balancer", "sharing", "seed", "task", "metric", "value", "steps", "seconds"]
    assert set(table.balancer) == {"equal", "single-task", "static"}
    assert len(table) == 3 * 2 * 4  # arms, tasks, metrics
    assert set(table.steps) == {150}
    assert not table.isna().any().any()
    assert not table.duplicated(["balancer", "sharing", "seed", "task", "metric"]).any()


def test_its_runs_stand_in_one_experiment_with_the_studys_tag_and_register_nothing(here: Path) -> None:
    client = open_client(tracking_uri(None, {}, None, here / "runs")[0])
    experiment = client.get_experiment_by_name("narrow-compare")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 5
    assert {each.data.tags["polygraft.study"] for each in runs} == {_ledger(here).path.parent.name}
    assert {each.info.status for each in runs} == {"FINISHED"}
    assert client.search_registered_models() == []


def test_an_edited_suite_is_a_new_study(here: Path, capsys) -> None:
    assert polygraft([*COMMAND, "--set", "train.steps=151", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["left"] == 5


STAGED = ["compare", "suite.yaml", "--seeds", "1", "--against", "staged", "--json", "--set"]


def test_a_staged_pipeline_killed_in_its_second_stage_ends_as_if_nothing_had_happened(here: Path, capsys) -> None:
    """Its features are fitted once, of principal components and by an autoencoder; each task then learns on them alone."""
    second = "struck/narrow-compare/staged-pca-right-*/checkpoints/step-*/manifest.json"
    strike(here, [*STAGED, "storage=struck"], lambda: any(here.glob(second)))
    fitted = {
        each: each.read_bytes() for each in here.glob("struck/narrow-compare/features-pca-*/encoders/t.safetensors")
    }
    assert len(fitted) == 1
    assert polygraft([*STAGED, "storage=struck"]) == 0
    struck = json.loads(capsys.readouterr().out)
    assert polygraft([*STAGED, "storage=whole"]) == 0
    whole = json.loads(capsys.readouterr().out)
    pd.testing.assert_frame_equal(*(pd.DataFrame(each["rows"]).drop(columns="seconds") for each in (struck, whole)))
    assert all(each.read_bytes() == before for each, before in fitted.items())
    begun = [json.loads(each.read_text())["number"] for each in here.glob("struck/narrow-compare/*/attempt.json")]
    assert sorted(begun) == [1] * (len(begun) - 1) + [2]
    table = pd.DataFrame(whole["rows"])
    staged = table[table.balancer == "staged"]
    assert set(staged.sharing) == {"pca", "autoencoder"}
    assert set(staged[staged.sharing == "pca"].steps) == {150}
    assert set(staged[staged.sharing == "autoencoder"].steps) == {300}  # as many again for the features
    # Four numbers are all that there is to know: frozen features keep it, and one shared feature does not.
    assert staged[(staged.sharing == "pca") & (staged.metric == "r2")].value.min() > 0.9
    told = {each["against"]: each["words"] for each in whole["verdicts"]}
    assert "the staged pipeline (pca): joint training LOSES at the one seed there is" in told["staged:pca"]
