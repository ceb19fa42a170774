"""Which run a command means."""

from __future__ import annotations

import re

import pytest

import toy_suite
from polygraft.assembly.job import lay_out
from polygraft.core.errors import UserError
from polygraft.distributed.identity import claim, source_of, storage_of
from polygraft.storage.runs import RunRecord, update_run, write_run


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(suite, run_id: str, status: str = "killed", **changes) -> RunRecord:
    record = claim(suite, run=run_id)
    lay_out(suite, record.folder)
    write_run(record)
    return update_run(record.folder, status=status, **changes)


def refusal(*arguments, **options) -> str:
    with pytest.raises(UserError) as caught:
        claim(*arguments, **options)
    return str(caught.value)


def test_a_new_run_has_an_id_of_its_own_and_nothing_is_written(here):
    record = claim(toy_suite.toy())
    assert re.fullmatch(r"toy-\d{8}-\d{6}-[0-9a-f]{4}", record.run_id)
    assert record.folder == here / "runs" / "toy" / record.run_id
    assert not (here / "runs").exists()


def test_an_id_names_a_new_run_or_the_one_that_has_it(here):
    assert claim(toy_suite.toy(), run="mine").folder == here / "runs" / "toy" / "mine"
    made(toy_suite.toy(), "mine", created=1.0, mlflow_run_id="a" * 32)
    assert claim(toy_suite.toy(), run="mine").created == 1.0
    assert claim(toy_suite.toy(), run="a" * 32).run_id == "mine"
    assert claim(toy_suite.toy(), run="latest").run_id == "mine"
    assert claim(toy_suite.toy(), run="min").run_id == "min", "the beginning of another run's id names a new run"


def test_other_workers_and_another_storage_are_the_same_run():
    made(toy_suite.toy(), "mine")
    assert claim(toy_suite.toy(workers={"count": 2}), run="mine").status == "killed"


def test_the_id_of_another_suite_is_refused_with_the_keys_that_differ():
    made(toy_suite.toy(), "mine")
    told = refusal(toy_suite.toy(seed=8, train={"batch_size": 64}), run="mine")
    assert told == (
        "--run: the run 'mine' is of another suite; they differ in seed, train.batch_size. Take another id, or make them equal."
    )
    assert "they differ in suite." in refusal(toy_suite.toy(suite="other"), run="mine")


@pytest.mark.parametrize("name", ["a/b", "../x", "", ".", "-x", "a b", "x" * 200])
def test_what_cannot_be_a_folder_names_no_run(name):
    if name:
        assert "cannot name one: letters, digits and . _ - can." in refusal(toy_suite.toy(), run=name)


def test_latest_before_there_is_one():
    assert "'latest' is no run yet" in refusal(toy_suite.toy(), run="latest")


def test_resume_takes_the_newest_unfinished_run_of_the_same_suite():
    made(toy_suite.toy(), "old", created=1.0)
    made(toy_suite.toy(), "new", created=2.0, status="running")
    made(toy_suite.toy(), "done", created=3.0, status="finished")
    made(toy_suite.toy(seed=8), "other", created=4.0)
    assert claim(toy_suite.toy(), resume=True).run_id == "new"


def test_what_cannot_be_resumed_is_said():
    assert "there is no run of 'toy' to resume; leave --resume out" in refusal(toy_suite.toy(), resume=True)
    made(toy_suite.toy(), "mine", created=1.0)
    told = refusal(toy_suite.toy(seed=8), resume=True)
    assert "no unfinished run has this suite; mine differs in seed." in told
    made(toy_suite.toy(), "done", created=2.0, status="finished")
    assert "the newest run, done, is finished" in refusal(toy_suite.toy(seed=8), resume=True)
    assert "Give one of them" in refusal(toy_suite.toy(), run="mine", resume=True)


def test_a_run_to_start_from_is_found_by_the_beginning_of_its_id(here):
    made(toy_suite.toy(), "toy-1-abcd")
    assert source_of(toy_suite.toy(), "toy-1") == here / "runs" / "toy" / "toy-1-abcd"
    with pytest.raises(UserError, match="no run is called 'nothing'"):
        source_of(toy_suite.toy(), "nothing")


def test_only_folders_are_stores():
    with pytest.raises(UserError, match="storage: only folders are stores so far"):
        storage_of(toy_suite.toy(storage="s3://bucket/runs"))
