"""A run that is stopped after every few steps ends with the bits of one that never was, for every balancer."""

from __future__ import annotations

from pathlib import Path

import pytest

import toy_suite
from polygraft.assembly.job import lay_out, work
from polygraft.assembly.run import STOP, Run
from polygraft.core.catalogue import catalogue
from required_settings import REQUIRED

STEPS = 24
HOW_OFTEN = {"steps": STEPS, "log_every": 4, "evaluate_every": 8, "save_every": 5, "clip": 1.0}
METHODS = catalogue("balancing").names()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module's runs lie, over one table; they share a cache."""
    folder = tmp_path_factory.mktemp("runs")
    toy_suite.write_table(folder)
    return folder


def begun(home: Path, name: str, method: str, **said: object) -> Path:
    """The folder of a new run, laid out; `said` goes to its balancer."""
    folder = home / "toy" / f"{method}-{name}"
    folder.mkdir(parents=True)
    balancer = {"name": method, "agreement_every": 7, **REQUIRED.get(method, {}), **said}
    lay_out(toy_suite.toy(home, balancer=balancer, train=HOW_OFTEN), folder)
    return folder


def stopped_after_each_step(folder: Path, times: int) -> None:
    """Take so many steps, each by a fresh start from what the last one saved."""
    (folder / STOP).touch()
    for step in range(1, times + 1):
        run = work(folder, attempt=step)
        assert (run.status, run.step) == ("killed", step)
    (folder / STOP).unlink()


def assert_same_end(one: Run, other: Run) -> None:
    """Equal bits: weights, moments, the balancer's state, the model, the history, the result."""
    last = f"checkpoints/step-{STEPS:08d}"
    parts = [f"{last}/{part}.safetensors" for part in ("weights", "optimizer", "balancer")]
    for name in (*parts, "model/weights.safetensors", "metrics.jsonl"):
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes(), name
    assert (one.metrics, one.validation, one.step) == (other.metrics, other.validation, other.step)


@pytest.mark.parametrize("method", METHODS)
def test_stopped_and_continued_it_ends_with_the_bits_of_an_undisturbed_run(method: str, home: Path) -> None:
    whole = work(begun(home, "whole", method), attempt=1)
    folder = begun(home, "stopped", method)
    stopped_after_each_step(folder, 9)
    assert_same_end(work(folder, attempt=10), whole)


def test_stopped_while_weights_are_reused_it_ends_with_the_same_bits(home: Path) -> None:
    """And with the same lines: a refresh after a line was due is told, with its drift. The method draws three batches."""
    whole = work(begun(home, "whole-reused", "sdmgrad", every=5), attempt=1)
    folder = begun(home, "stopped-reused", "sdmgrad", every=5)
    stopped_after_each_step(folder, 3)
    assert_same_end(work(folder, attempt=4), whole)
    assert "balance/drift/change" in (whole.folder / "metrics.jsonl").read_text()


def test_other_chance_ends_elsewhere(home: Path) -> None:
    """The comparison above can fail: another seed gives other bits."""
    one = work(begun(home, "seed-7", "equal"), attempt=1)
    folder = home / "toy" / "equal-seed-8"
    folder.mkdir()
    lay_out(toy_suite.toy(home, seed=8, balancer={"name": "equal"}, train=HOW_OFTEN), folder)
    with pytest.raises(AssertionError, match=r"weights\.safetensors"):
        assert_same_end(work(folder, attempt=1), one)


def test_a_finished_run_that_is_given_again_takes_no_step(home: Path) -> None:
    """Its last checkpoint is its end: whatever was killed after it is done again, and nothing else."""
    folder = begun(home, "again", "pcgrad")
    first = work(folder, attempt=1)
    history = (folder / "metrics.jsonl").read_bytes()
    steps = (folder / "system.jsonl").read_text().count("samples_per_second")
    again = work(folder, attempt=2)
    assert (again.metrics, again.validation, again.step) == (first.metrics, first.validation, STEPS)
    assert (folder / "metrics.jsonl").read_bytes() == history
    assert (folder / "system.jsonl").read_text().count("samples_per_second") == steps


def test_it_begins_with_the_weights_of_another_run(home: Path) -> None:
    source = work(begun(home, "source", "equal"), attempt=1)
    folder = home / "toy" / "warm"
    folder.mkdir()
    still = {**HOW_OFTEN, "steps": 1, "optimizer": {"name": "sgd", "lr": 1e-30}}
    lay_out(toy_suite.toy(home, balancer={"name": "equal"}, train=still), folder, warm_start=source.folder)
    warm = work(folder, attempt=1)
    assert warm.metrics == pytest.approx(source.metrics, rel=1e-6)
