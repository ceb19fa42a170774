"""The work on a group that dies, crashes or refuses, with a fake group and no Ray."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import ClassVar

import pytest

import toy_suite
from polygraft.assembly.run import Run
from polygraft.core.errors import RunFailed, UserError, fault
from polygraft.distributed import group
from polygraft.distributed.address import Address
from polygraft.distributed.endings import Interrupted
from polygraft.distributed.interrupts import Interrupts
from polygraft.distributed.policy import Crashed, Died, Done, Refused
from polygraft.distributed.work import RayWork, Words
from polygraft.storage.lock import RunLock

DEAD = Died("killed")


class FakeGroup:
    """A group that comes to the next of `outcomes`; a callable is called first and gives one."""

    outcomes: ClassVar[list] = []
    log: ClassVar[list] = []

    def __init__(self, count, share, between) -> None:
        self.count, self.members = count, [SimpleNamespace(seconds=1.5)]

    def begin(self, function, folder) -> None:
        self.log.append(f"begin {self.count}")

    def meet(self):
        return None

    def work(self, task):
        self.log.append(f"attempt {task.arguments['attempt']}")
        outcome = self.outcomes.pop(0)
        return outcome() if callable(outcome) else outcome

    def end(self) -> None:
        self.log.append("end")


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Runs the work against outcomes; the log of what was done stands in `launch.log`."""
    room = [2]
    monkeypatch.setattr(group, "WorkerGroup", FakeGroup)
    monkeypatch.setattr(group, "room", lambda share: room[0])
    monkeypatch.setattr(
        "polygraft.distributed.work.RaySession", lambda *_, **__: SimpleNamespace(open=lambda: None, close=lambda: None)
    )
    folder = tmp_path / "one"

    def run(*outcomes, workers=None, signum=None):
        monkeypatch.setattr(FakeGroup, "outcomes", list(outcomes))
        monkeypatch.setattr(FakeGroup, "log", run.log)
        interrupts = Interrupts(folder / "stop")
        interrupts.signum = signum
        suite = toy_suite.toy(workers=workers or {"count": 2})
        with RunLock(folder) as lock, RayWork(suite, folder, Address(None, "default"), interrupts) as work:
            return work.run(lock)

    run.log, run.room, run.folder = [], room, folder
    return run


def finished(folder) -> Done:
    return Done(Run("one", folder, "finished", 60))


def test_a_group_that_ends_well_is_ended(launch):
    assert launch(finished(launch.folder)).status == "finished"
    assert launch.log == ["begin 2", "attempt 1", "end"]


def test_after_a_death_a_new_attempt_begins_on_a_new_group(launch):
    assert launch(DEAD, finished(launch.folder)).status == "finished"
    assert launch.log == ["begin 2", "attempt 1", "end", "begin 2", "attempt 2", "end"]


def test_an_elastic_group_goes_on_with_those_for_whom_there_is_room(launch):
    elastic = {"count": 2, "min": 1, "max": 2}

    def shrink() -> Died:
        launch.room[0] = 1
        return DEAD

    launch(shrink, finished(launch.folder), workers=elastic)
    assert launch.log == ["begin 2", "attempt 1", "end", "begin 1", "attempt 2", "end"]


def test_a_group_without_room_stops(launch):
    def shrink() -> Died:
        launch.room[0] = 1
        return DEAD

    with pytest.raises(RunFailed, match=r"a worker died \(killed\) .* there is room for 1 of at least 2 workers\."):
        launch(shrink)


def test_deaths_without_a_step_forward_are_counted(launch):
    with pytest.raises(RunFailed, match="2 failures without a step forward"):
        launch(DEAD, DEAD, workers={"count": 2, "max_failures": 1})
    assert launch.log.count("begin 2") == 2


def test_a_checkpoint_between_two_deaths_starts_the_count_anew(launch):
    def saved() -> Died:
        (launch.folder / "checkpoints/step-00000010").mkdir(parents=True)
        return DEAD

    assert launch(DEAD, saved, finished(launch.folder), workers={"count": 2, "max_failures": 1}).status == "finished"


def test_what_a_worker_refuses_is_raised_as_it_is(launch):
    with pytest.raises(UserError, match=r"suite.yaml:3: no column 'x'"):
        launch(Refused(fault("no column 'x'", "suite.yaml:3")))


def test_an_unforeseen_error_is_said_with_its_traceback_and_fails_the_run(launch, caplog):
    with pytest.raises(RunFailed, match="a worker failed: KeyError: 'x'"):
        launch(Crashed("KeyError: 'x'", "Traceback ...\n  in crash\n"))
    assert "in crash" in caplog.text


def test_who_asked_to_stop_gets_no_new_group(launch):
    with pytest.raises(Interrupted) as caught:
        launch(DEAD, signum=signal.SIGTERM)
    assert caught.value.exit_code == 143
    assert launch.log == ["begin 2", "attempt 1", "end"]


def test_too_little_room_is_refused(launch):
    launch.room[0] = 1
    with pytest.raises(
        UserError, match="workers: 2 are wanted, and there is room for 1: Ray at this machine has no more"
    ):
        launch()
    assert launch.log == []


def test_words_are_passed_on_once_and_whole(tmp_path, caplog):
    file = tmp_path / "rank-0.log"
    file.write_text("of an earlier attempt\n")
    words = Words(file)
    with caplog.at_level("INFO", logger="polygraft"):
        words.pass_on()
        append(file, "one\ntw")
        words.pass_on()
        assert caplog.messages == ["one"]
        append(file, "o\nthree\n")
        words.pass_on()
        words.pass_on()
    assert caplog.messages == ["one", "two", "three"]


def append(file, text: str) -> None:
    with file.open("a") as words:
        words.write(text)
