"""Launching, with fakes in place of the work, of MLflow and of the report."""

from __future__ import annotations

import json
import re
import signal
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

import toy_suite
from polygraft.assembly.mixing import total_steps
from polygraft.assembly.run import Run
from polygraft.core.errors import RunFailed, UserError, fault
from polygraft.data.streaming import one_by_one
from polygraft.distributed import driver, launch
from polygraft.distributed.endings import Failed, Interrupted
from polygraft.distributed.work import LocalWork, RayWork, Work
from polygraft.storage.lock import RunLock
from polygraft.storage.runs import read_run


@dataclass
class FakeTracker:
    """An MLflow run that only remembers how it ended."""

    run_id: str = "m" * 32
    ended: list[str] = field(default_factory=list)

    def __call__(self, entries) -> None:
        """Take nothing."""

    def end(self, status: str) -> None:
        self.ended.append(status)


class FakeWork(Work):
    """Work that comes to what it was told."""

    elsewhere = True

    def __init__(self, folder: Path, outcome: Run | Exception | str) -> None:
        self.folder, self.outcome = folder, outcome
        self.seconds = {}
        self.left = False

    def run(self, lock: RunLock) -> Run:
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return Run(self.folder.name, self.folder, self.outcome, 60, {"late/auc": 0.9})

    def runner(self):
        return one_by_one

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.left = True


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    """A place to launch from; `fakes.outcome` is what the work comes to."""
    monkeypatch.chdir(tmp_path)
    toy_suite.write_table(tmp_path)
    found = SimpleNamespace(outcome="finished", tracker=FakeTracker(), works=[], signum=None)
    found.open = lambda uri, facts: found.tracker

    def work(suite, record, address, interrupts):
        interrupts.signum = found.signum
        found.works.append(FakeWork(record.folder, found.outcome))
        return found.works[-1]

    def publish(suite, run, tracker, prepared, *, uri, register):
        (run.folder / "result.json").write_text(json.dumps(run.to_json()))
        return run

    monkeypatch.setattr(launch, "_work", work)
    monkeypatch.setattr(driver, "open_run", lambda uri, facts: found.open(uri, facts))
    monkeypatch.setattr(driver, "publish", publish)
    found.suite = toy_suite.toy(tmp_path)
    return found


def status(run_id: str) -> str:
    record = read_run(Path("runs/toy") / run_id)
    assert record is not None
    return record.status


def test_a_finished_run_says_so_and_is_reprinted_afterwards(fakes):
    run = launch.train(fakes.suite, run="one", progress=False)
    assert (run.status, run.metrics, run.mlflow_run_id) == ("finished", {"late/auc": 0.9}, "m" * 32)
    assert status("one") == "finished"
    assert fakes.tracker.ended == ["FINISHED"]
    assert Path("runs/toy/latest").resolve().name == "one"
    assert launch.train(fakes.suite, run="one", progress=False) == run
    assert len(fakes.works) == 1, "the second command did the work again"
    assert fakes.works[0].left


def test_a_failed_run_keeps_its_folder_and_goes_on(fakes):
    fakes.outcome = RunFailed("the loss of 'late' is NaN at step 7")
    with pytest.raises(Failed, match="NaN at step 7") as caught:
        launch.train(fakes.suite, run="one", progress=False)
    assert (caught.value.result.run_id, caught.value.result.status) == ("one", "failed")
    assert status("one") == "failed"
    assert fakes.tracker.ended == ["FAILED"]
    assert fakes.works[0].left
    fakes.outcome = "finished"
    assert launch.train(fakes.suite, resume=True, progress=False).run_id == "one"
    assert json.loads(Path("runs/toy/one/attempt.json").read_text())["number"] == 2


def test_a_stopped_run_raises_with_its_result(fakes):
    fakes.outcome, fakes.signum = "killed", signal.SIGTERM
    with pytest.raises(Interrupted) as caught:
        launch.train(fakes.suite, run="one", progress=False)
    assert caught.value.exit_code == 143
    assert caught.value.result.step == 60
    assert status("one") == "killed"
    assert fakes.tracker.ended == ["KILLED"]


def test_a_fault_of_the_data_leaves_no_folder_behind(fakes):
    Path("toy.csv").write_text("late,delay\n")
    with pytest.raises(UserError, match="0 rows"):
        launch.train(fakes.suite, run="one", progress=False)
    assert not Path("runs/toy/one").exists()
    assert fakes.tracker.ended == []


def test_when_mlflow_refuses_the_run_is_stopped_and_can_go_on(fakes):
    def refuse(uri, facts):
        raise fault("the experiment 'toy' was deleted in MLflow", "sqlite")

    fakes.open, fakes.outcome = refuse, "killed"
    with pytest.raises(UserError, match="the experiment 'toy' was deleted"):
        launch.train(fakes.suite, run="one", progress=False)
    assert status("one") == "failed"
    fakes.open, fakes.outcome = lambda uri, facts: fakes.tracker, "finished"
    assert launch.train(fakes.suite, run="one", progress=False).status == "finished"


def test_a_second_process_on_the_same_run_is_refused(fakes):
    with RunLock(Path("runs/toy/one")), pytest.raises(UserError, match=r"has worked on this run since .* --run"):
        launch.train(fakes.suite, run="one", progress=False)
    assert fakes.works == []


def test_an_unreachable_tracking_server_is_refused_before_anything_is_started(fakes):
    with pytest.raises(UserError, match="the MLflow tracking server does not answer"):
        launch.train(fakes.suite, tracking="http://127.0.0.1:9", progress=False)
    assert not Path("runs").exists()


def test_an_unreachable_ray_is_refused_before_anything_is_started(fakes):
    with pytest.raises(UserError, match=r"no Ray answers at '127.0.0.1:9'"):
        launch.train(fakes.suite, address="127.0.0.1:9", progress=False)
    assert not Path("runs").exists()


def test_more_workers_than_cpus_are_refused_before_anything_is_started(fakes, monkeypatch):
    monkeypatch.setattr("polygraft.distributed.machine.cpus", lambda: 2)
    with pytest.raises(UserError, match="workers: 3 are wanted, and there is room for 2: this machine has 2 CPUs"):
        launch.train(fakes.suite, workers=3, progress=False)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("rows", "shards", "workers", "expected"),
    [
        (1024, 2, 2, "1,024 rows a step = 2 workers x 512"),
        (1024, 2, 1, "1,024 rows a step = 1 worker x 1,024"),
        (131, 5, 2, "131 rows a step = 2 workers x 52 to 79"),
        (1024, 3, 3, "1,024 rows a step = 3 workers x 341 to 342"),
    ],
)
def test_how_a_batch_is_shared(rows, shards, workers, expected):
    suite = toy_suite.toy(train={"batch_size": rows, "shards": shards}, workers={"count": workers})
    assert launch.split_of_rows(suite) == expected
    two = suite.model_copy(update={"data": {"a": suite.data["toy"], "b": suite.data["toy"]}})
    assert launch.split_of_rows(two) == expected.replace("rows a step", "rows of a table a step")


def test_the_first_line_says_how_a_batch_is_shared(fakes, caplog):
    with caplog.at_level("INFO", logger="polygraft"):
        launch.train(fakes.suite, progress=False)
    assert caplog.messages[0] == "131 rows a step = 1 worker x 131"
    assert caplog.messages[1] == "preparing toy, while Ray starts"
    assert re.fullmatch(r"toy: 1,500 rows, 1,050 to train on, in \d+\.\d s", caplog.messages[2])


def test_more_workers_than_shards_are_refused_with_the_mend():
    with pytest.raises(UserError, match=r"a batch of 5 shards cannot be shared among 6 workers. Set train.shards: 6"):
        launch.sized(toy_suite.toy(), 6)
    with pytest.raises(UserError, match="--workers: a run takes at least 1 worker, not 0"):
        launch.sized(toy_suite.toy(), 0)


def test_workers_in_place_of_the_suites(tmp_path):
    elastic = toy_suite.toy(workers={"count": 2, "min": 1, "max": 3})
    assert launch.sized(elastic, 2).workers.most == 2
    (tmp_path / "suite.yaml").write_text(
        "{suite: toy, data: {t: {source: t.csv}}, tasks: {y: {data: t, target: y, objective: regression}}, train: {steps: 1}}"
    )
    assert launch.loaded(tmp_path, workers=4).train.shards == 4, "shards that nobody gave follow the workers"


def test_one_worker_is_this_process_unless_an_address_is_given(tmp_path, monkeypatch):
    given = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch, "probe", lambda address: None)
    monkeypatch.setattr(launch, "_work", lambda suite, record, address, interrupts: given.append(address) or 1 / 0)
    for options, expected in (
        ({}, None),
        ({"workers": 2}, launch.Address(None, "default")),
        ({"address": "local"}, launch.Address(None, "--address")),
        ({"address": "head:6379"}, launch.Address("head:6379", "--address")),
    ):
        with pytest.raises(ZeroDivisionError):
            launch.train(toy_suite.toy(tmp_path), progress=False, **options)
        assert given.pop() == expected


def test_where_the_work_is_done(tmp_path):
    record = SimpleNamespace(folder=tmp_path)
    assert isinstance(launch._work(toy_suite.toy(), record, None, None), LocalWork)
    assert isinstance(launch._work(toy_suite.toy(), record, launch.Address(None, "default"), None), RayWork)


def test_the_steps_of_a_run():
    tables = {name: SimpleNamespace(splits={"train": range(rows)}) for name, rows in (("a", 1000), ("b", 1050))}
    assert total_steps(toy_suite.toy(), tables) == 60
    by_epochs = toy_suite.toy(train={"steps": None, "epochs": 2.5, "batch_size": 100})
    assert total_steps(by_epochs, tables) == 28
    of_three = by_epochs.model_copy(update={"balancer": by_epochs.balancer.model_copy(update={"name": "sdmgrad"})})
    assert total_steps(of_three, tables) == 10, "the bar would end at a third"
    one_table_a_step = toy_suite.toy(train={"steps": None, "epochs": 2.5, "batch_size": 100, "mixture": "uniform"})
    assert total_steps(one_table_a_step, tables) == 53
