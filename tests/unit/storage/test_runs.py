"""A run is found by its id, MLflow's id, a unique prefix, its folder or `latest`."""

from __future__ import annotations

from pathlib import Path

import pytest

from polygraft.core.errors import UserError
from polygraft.storage.runs import (
    RunRecord,
    all_runs,
    find_run,
    new_run_id,
    point_latest,
    read_run,
    suite_of,
    unfinished,
    update_run,
    write_run,
)


@pytest.fixture
def storage(tmp_path) -> Path:
    """Two suites, four runs; the newest is of census."""
    for created, (run_id, status, mlflow) in enumerate(
        [
            ("flights-20261123-141502-3f9a", "finished", "aa11"),
            ("flights-20261123-151502-3f9b", "failed", "aa22"),
            ("flights-20261124-101502-0001", "running", None),
            ("census-20261125-101502-0001", "killed", "cc33"),
        ]
    ):
        suite = suite_of(run_id)
        folder = tmp_path / suite / run_id
        write_run(RunRecord(folder, run_id, suite, "d1g357", float(created), status, mlflow))
        point_latest(folder)
    (tmp_path / "artifacts" / "flights").mkdir(parents=True)
    (tmp_path / "mlflow.db").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("operand", "suite", "found"),
    [
        ("flights-20261123-141502-3f9a", None, "flights-20261123-141502-3f9a"),
        ("flights-20261124", None, "flights-20261124-101502-0001"),
        ("aa22", None, "flights-20261123-151502-3f9b"),
        ("cc", None, "census-20261125-101502-0001"),
        ("latest", None, "census-20261125-101502-0001"),
        ("latest", "flights", "flights-20261124-101502-0001"),
    ],
)
def test_operands(storage, operand, suite, found):
    assert find_run(storage, operand, suite).run_id == found


def test_a_folder_and_the_link_latest_are_operands_too(storage):
    assert find_run(storage, f"{storage}/flights/latest").run_id == "flights-20261124-101502-0001"
    assert find_run(storage, f"{storage}/flights/latest").folder.name == "flights-20261124-101502-0001"


@pytest.mark.parametrize(
    ("operand", "words"),
    [
        (
            "flights-2026112",
            "'flights-2026112' begins the ids of 3 runs: flights-20261124-101502-0001, flights-20261123-151502-3f9b, "
            "flights-20261123-141502-3f9a. Give more of it.",
        ),
        (
            "fligths-20261123-141502-3f9a",
            "no run is called 'fligths-20261123-141502-3f9a'. Did you mean 'flights-20261123-141502-3f9a'? "
            "The newest is census-20261125-101502-0001.",
        ),
        ("", "no run is called ''. The newest is census-20261125-101502-0001."),
    ],
)
def test_what_is_no_single_run_is_answered_with_what_there_is(storage, operand, words):
    with pytest.raises(UserError) as refused:
        find_run(storage, operand)
    assert str(refused.value) == f"{storage}: {words}"


def test_without_runs(tmp_path):
    with pytest.raises(UserError, match="there is no run yet; `polygraft train SUITE` makes one"):
        find_run(tmp_path / "nowhere", "latest")


def test_a_whole_id_wins_over_longer_ones(tmp_path):
    for run_id in ("a-1", "a-12"):
        write_run(RunRecord(tmp_path / "a" / run_id, run_id, "a", "d", 0.0))
    assert find_run(tmp_path, "a-1").run_id == "a-1"


def test_the_newest_unfinished_run_of_the_same_suite(storage):
    assert unfinished(storage, "flights", "d1g357").run_id == "flights-20261124-101502-0001"
    update_run(storage / "flights" / "flights-20261124-101502-0001", status="finished", step=2000)
    assert unfinished(storage, "flights", "d1g357").run_id == "flights-20261123-151502-3f9b"
    assert unfinished(storage, "flights", "other") is None


def test_records_come_back_as_they_were(storage):
    assert [run.created for run in all_runs(storage)] == [3.0, 2.0, 1.0, 0.0]
    record = read_run(storage / "census" / "latest")
    assert (record.status, record.mlflow_run_id, record.finished) == ("killed", "cc33", False)
    assert read_run(storage) is None


def test_a_run_file_that_is_none_is_named(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"run.json: this is not what a run's folder holds"):
        read_run(tmp_path)


def test_ids_say_suite_and_time():
    assert new_run_id("flights", 1_795_443_302.0).startswith("flights-20261123-141502-")
    assert suite_of(new_run_id("two-words", 0.0)) == "two-words"
    assert suite_of("anything") is None
    assert len({new_run_id("a", 0.0) for _ in range(20)}) > 1
