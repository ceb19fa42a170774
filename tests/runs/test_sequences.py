"""Tasks on sequences, from a file to a model: exact for any number of workers, nothing lost, scored and served as all others."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest

from polygraft.assembly.job import lay_out, work
from polygraft.assembly.model import Model
from polygraft.assembly.run import STOP, Run
from polygraft.assembly.scoring import evaluate
from polygraft.core.errors import UserError
from same_end import assert_same_end
from sequence_runs import TASKS, run_on, small_chunks, suite, write_table

KINDS = list(TASKS)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs lie, over one table; they share a cache."""
    folder = tmp_path_factory.mktemp("letters")
    write_table(folder)
    return folder


@pytest.fixture(scope="module")
def alone(home: Path) -> dict[str, Run]:
    """A run of each suite in this process, undisturbed."""
    ended = {}
    for kind in KINDS:
        folder = home / "runs" / f"{kind}-alone"
        folder.mkdir(parents=True)
        lay_out(suite(home, kind), folder)
        with small_chunks():
            ended[kind] = work(folder, attempt=1)
    return ended


@pytest.mark.parametrize("kind", KINDS)
def test_stopped_after_every_step_it_ends_with_the_bits_of_an_undisturbed_run(home, alone, kind) -> None:
    folder = home / "runs" / f"{kind}-stopped"
    folder.mkdir()
    lay_out(suite(home, kind), folder)
    (folder / STOP).touch()
    with small_chunks():
        for step in range(1, 6):
            assert work(folder, attempt=step).step == step
        (folder / STOP).unlink()
        work(folder, attempt=6)
    assert_same_end(folder, alone[kind].folder)


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3])
def test_the_number_of_workers_does_not_change_a_bit(home, alone, world) -> None:
    """Of five shards and some chunks of rows that differ in length; the workers are started once and run every suite."""
    run_on(world, {home / "runs" / f"{kind}-on-{world}": suite(home, kind) for kind in KINDS})
    for kind in KINDS:
        assert_same_end(home / "runs" / f"{kind}-on-{world}", alone[kind].folder)


@pytest.mark.parametrize("kind", KINDS)
def test_each_task_is_scored_by_finite_numbers_that_its_objective_names(alone, kind) -> None:
    run, made = alone[kind], Model.load(alone[kind].folder / "model")
    for task in TASKS[kind]:
        found = {key.split("/")[1]: each for key, each in run.metrics.items() if key.startswith(f"{task}/")}
        assert {"improvement"} < found.keys() <= made.objective(task).better.keys()
        assert all(map(math.isfinite, found.values()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_scores_a_file_and_predicts_one_without_labels(home, alone, kind) -> None:
    model = Model.load(alone[kind].folder / "model")
    rows = pd.read_parquet(home / "letters.parquet")
    predicted = model.predict(rows[["seen", "part"]])
    assert len(predicted) == len(rows)
    assert not predicted.isna().any().any()
    pd.testing.assert_frame_equal(model.predict(rows), predicted, check_exact=True)
    scores = evaluate(model, home / "letters.parquet")
    assert {key.split("/")[0] for key in scores} == set(TASKS[kind])


def test_a_tag_is_said_for_every_letter(home, alone) -> None:
    rows = pd.read_parquet(home / "letters.parquet")
    predicted = Model.load(alone["both ways"].folder / "model").predict(rows)
    assert predicted["loud"].str.split().map(len).tolist() == rows["seen"].map(len).tolist()


def test_where_decoders_and_the_trunk_looked_is_shown(alone) -> None:
    titles = {each["title"] for each in json.loads((alone["causal"].folder / "exhibits.json").read_text())}
    blocks = {f"copy: block 1, head {head}" for head in (1, 2)}
    assert {"copy 1", "back 4", *blocks, "letters: layer 1, head 1", "letters: layer 1, head 2"} <= titles


@pytest.mark.parametrize(
    ("kind", "backbone", "offers", "words"),
    [
        (
            "both ways",
            {"name": "mlp"},
            "vector",
            r"head 'decoder' reads a sequence; the backbone 'mlp' offers a vector",
        ),
        ("causal", {"name": "lstm", "bidirectional": True}, "sequence", r"shows each position what comes after it"),
    ],
)
def test_a_backbone_that_does_not_fit_is_refused_before_a_step(home, tmp_path, kind, backbone, offers, words) -> None:
    lay_out(suite(home, kind, backbone, offers), tmp_path)
    with pytest.raises(UserError, match=words):
        work(tmp_path, attempt=1)
    assert not (tmp_path / "metrics.jsonl").exists()
