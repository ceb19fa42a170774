"""The follower hands over every point once, in order, whatever the journal and the listeners do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from polygraft.tracking.follower import Follower, Tail, pause_s
from polygraft.tracking.journal import Entry, Journal, read


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "metrics.jsonl"


@pytest.fixture
def tail(path) -> Iterator[Tail]:
    tail = Tail(path)
    yield tail
    tail.close()


def steps(entries) -> list[int]:
    return [entry.step for entry in entries]


def test_only_what_is_new_and_whole_is_given(path, tail):
    assert tail.new() == []
    journal = Journal(path)
    journal.log({"a": 1.0}, 10)
    assert tail.new() == [Entry(10, {"a": 1.0})]
    assert tail.new() == []
    with path.open("a") as file:
        file.write('{"step": 20, "values"')
    assert tail.new() == []
    with path.open("a") as file:
        file.write(': {"a": 2.0}}\n')
    assert steps(tail.new()) == [20]


def test_a_rewind_is_followed_and_equal_points_are_given_once(path, tail):
    journal = Journal(path)
    for step in (10, 20, 30):
        journal.log({"a": 1 / step}, step)
    assert steps(tail.new()) == [10, 20, 30]
    journal.rewind(10)
    for step in (20, 30, 40, 50):
        journal.log({"a": 1 / step}, step)
    assert steps(tail.new()) == [40, 50]
    journal.rewind(40)
    journal.log({"a": 0.5}, 50)  # not what it was
    assert steps(tail.new()) == [50]


def test_a_torn_line_that_is_cut_off_and_written_anew_is_given(path, tail):
    Journal(path).log({"a": 1.0}, 10)
    with path.open("a") as file:
        file.write('{"step": 20, "values": {"b')
    tail.new()
    Journal(path).log({"a long name, longer than what was torn": 2.0}, 20)
    assert steps(tail.new()) == [20]


def test_every_listener_gets_every_point_in_order_while_the_journal_is_rewound(path):
    seen: list[list[int]] = [[], []]
    listeners = [lambda entries: seen[0].extend(steps(entries)), lambda entries: seen[1].extend(steps(entries))]
    with Follower(path, listeners, every_s=0.001):
        journal = Journal(path)
        for step in range(1, 301):
            journal.log({"a": step / 7}, step)
            if step % 50 == 0:
                time.sleep(0.003)
                journal.rewind(step - 20)
                for again in range(step - 19, step + 1):
                    journal.log({"a": again / 7}, again)
    assert seen[0] == seen[1] == list(range(1, 301))
    assert steps(read(path)) == list(range(1, 301))


def test_clocks_are_followed_too(path):
    seen: list[Entry] = []
    with Follower(path, [seen.extend], every_s=0.001):
        Journal(path, attempt=2).log({"system/seconds/wall": 1.0}, 10)
    assert [(entry.step, entry.attempt) for entry in seen] == [(10, 2)]


def test_a_listener_that_fails_is_tried_again_and_said_once_while_others_go_on(path, caplog):
    quick: list[int] = []
    slow: list[int] = []
    failures = 3

    def listener(entries):
        nonlocal failures
        if failures:
            failures -= 1
            raise ConnectionError("no answer\nand a long tail")
        slow.extend(steps(entries))

    with Follower(path, [listener, lambda entries: quick.extend(steps(entries))], every_s=0.005):
        journal = Journal(path)
        for step in (1, 2, 3):
            journal.log({"a": 1.0}, step)
        deadline = time.monotonic() + 10
        while not quick and time.monotonic() < deadline:
            time.sleep(0.01)
        assert quick
    assert quick == slow == [1, 2, 3]
    said = [record.message for record in caplog.records]
    assert said == [
        "listener: no answer; the run goes on, it is tried again.",
        "listener: it takes entries again.",
    ]


def test_a_listener_that_never_takes_anything_is_given_up_in_time(path, caplog):
    def listener(entries):
        raise ConnectionError("no answer")

    start = time.monotonic()
    with Follower(path, [listener], every_s=0.01, give_up_s=0.3):
        Journal(path).log({"a": 1.0}, 1)
    assert time.monotonic() - start < 10
    assert caplog.messages[-1] == "listener: it has not taken the last 1 lines of the journal, which has them all."
    assert "follower" not in {thread.name for thread in threading.enumerate()}


def test_pauses_grow_and_end():
    assert [pause_s(failures, 0.5) for failures in (0, 1, 2, 5, 6, 99)] == [0.5, 1.0, 2.0, 16.0, 30.0, 30.0]
