"""Runs over two tables of unequal size: any number of workers, stops and SIGKILL end with the same bits, history of losses included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import toy_suite
from gloo_ranks import begin, take_part
from polygraft.assembly.job import lay_out, work
from polygraft.assembly.run import STOP, Run
from polygraft.suite.schema import Suite
from same_end import assert_same_end
from waiting import until

STEPS = 120
MIXTURES = ("proportional", "loss_driven")


def suite(home: Path, mixture: str, balancer: str = "equal") -> Suite:
    """The toy's table, and a quarter of it with tasks of its own."""
    stem = {"stem": {"name": "columns", "width": 16}}
    tasks = {
        "rare": {"data": "few", "target": "late", "objective": "classification"},
        "wait": {"data": "few", "target": "delay", "objective": "regression"},
    }
    return toy_suite.toy(
        home,
        data={"toy": {"source": "toy.csv", **stem}, "few": {"source": "few.csv", "drop": ["d"], **stem}},
        tasks=tasks,
        balancer={"name": balancer, "agreement_every": 7},
        train={"steps": STEPS, "log_every": 3, "evaluate_every": 40, "save_every": 5, "mixture": mixture},
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixtures")
    toy_suite.write_table(folder)
    lines = (folder / "toy.csv").read_text().splitlines(keepends=True)
    (folder / "few.csv").write_text("".join(lines[:401]))
    return folder


def begun(home: Path, name: str, mixture: str, **changes: Any) -> Path:
    folder = home / "toy" / f"{mixture}-{name}"
    folder.mkdir(parents=True)
    lay_out(suite(home, mixture, **changes), folder)
    return folder


def history(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line)["values"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def stopped_after_each_step(folder: Path, times: int) -> None:
    (folder / STOP).touch()
    for step in range(1, times + 1):
        assert work(folder, attempt=step).step == step
    (folder / STOP).unlink()


@pytest.fixture(scope="module")
def whole(home: Path) -> dict[str, Run]:
    """By mixture, the run that nothing disturbed."""
    return {mixture: work(begun(home, "whole", mixture), attempt=1) for mixture in MIXTURES}


@pytest.mark.parametrize("mixture", MIXTURES)
def test_stopped_and_continued_it_ends_as_if_nothing_had_happened(
    home: Path, whole: dict[str, Run], mixture: str
) -> None:
    folder = begun(home, "stopped", mixture)
    stopped_after_each_step(folder, 7)
    work(folder, attempt=8)
    assert_same_end(folder, whole[mixture].folder)


def test_the_bits_depend_on_the_mixture(whole: dict[str, Run]) -> None:
    """The comparisons above can fail."""
    one, other = whole["proportional"].folder, whole["loss_driven"].folder
    assert (one / "model/weights.safetensors").read_bytes() != (other / "model/weights.safetensors").read_bytes()
    with pytest.raises(AssertionError, match="safetensors"):
        assert_same_end(one, other)


@pytest.mark.parametrize("mixture", MIXTURES)
def test_the_shares_are_in_the_history_and_each_table_is_scored(whole: dict[str, Run], mixture: str) -> None:
    run = whole[mixture]
    told = [values for values in history(run.folder) if "mixture/few/drawn" in values]
    assert len(told) >= STEPS // 3
    assert told[-1]["mixture/few/drawn"] + told[-1]["mixture/toy/drawn"] == STEPS
    assert {key.split("/")[0] for key in run.metrics} == {"late", "delay", "rare", "wait", "improvement"}


@pytest.mark.slow
def test_killed_and_continued_by_two_workers_it_ends_as_one_does(home: Path, whole: dict[str, Run]) -> None:
    """With history: it comes back with the checkpoint, and both workers draw the same table from it."""
    folder = begun(home, "killed", "loss_driven")
    alone = begin(0, 1, folder, attempt=1)
    assert until(lambda: any(folder.glob("checkpoints/step-*/manifest.json")) or not alone.is_alive(), 120)
    assert alone.is_alive()
    alone.kill()
    alone.join()
    assert not (folder / f"checkpoints/step-{STEPS:08d}").exists(), "it was over before it was struck"
    other = begin(1, 2, folder, attempt=2)
    take_part(0, 2, folder, attempt=2)
    other.join()
    assert other.exitcode == 0
    assert_same_end(folder, whole["loss_driven"].folder)
