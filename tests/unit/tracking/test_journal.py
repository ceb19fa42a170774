"""The journal loses nothing, repeats nothing, and gives every float back."""

from __future__ import annotations

import itertools
import json
import math
import multiprocessing
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polygraft.core.errors import RunFailed
from polygraft.tracking.journal import Entry, Journal, history, line, parse, read


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "run" / "metrics.jsonl"


def test_one_call_is_one_line(path):
    journal = Journal(path)
    journal.log({"train/late/loss": 0.41, "balance/weight/late": 1}, 50)
    journal.log({"validation/late/auc": 0.76}, 100)
    assert path.read_text() == (
        '{"step": 50, "values": {"train/late/loss": 0.41, "balance/weight/late": 1.0}}\n'
        '{"step": 100, "values": {"validation/late/auc": 0.76}}\n'
    )
    assert history(read(path))["validation/late/auc"] == [(100, 0.76)]


def test_clocks_go_to_a_file_of_their_own_with_wall_time_and_attempt(path):
    before = time.time()
    Journal(path, attempt=3).log({"train/late/loss": 0.5, "system/seconds/wall": 2.5}, 50)
    assert [entry.values for entry in read(path)] == [{"train/late/loss": 0.5}]
    (entry,) = read(path.with_name("system.jsonl"))
    assert (entry.step, entry.values, entry.attempt) == (50, {"system/seconds/wall": 2.5}, 3)
    assert before <= entry.time <= time.time()


@given(st.dictionaries(st.text(), st.floats(allow_nan=True, allow_infinity=True, width=64)), st.integers(0, 10**9))
def test_every_float_comes_back_bit_for_bit_and_every_line_is_json(values, step):
    text = line(Entry(step, values))
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    back = parse(text)
    assert back.step == step
    assert {key: value.hex() for key, value in back.values.items()} == {k: float(v).hex() for k, v in values.items()}
    assert text.count("\n") == 1


def test_what_is_not_finite_is_a_word(path):
    Journal(path).log({"a": math.nan, "b": math.inf, "c": -math.inf}, 1)
    assert json.loads(path.read_text())["values"] == {"a": "NaN", "b": "Infinity", "c": "-Infinity"}


def test_rewind_and_replay_give_the_history_of_a_run_that_was_never_stopped(path):
    def run(journal: Journal, first: int, last: int) -> None:
        for step in range(first, last + 1, 10):
            journal.log({"train/late/loss": 1 / (step + 3)}, step)
            if step % 50 == 0:
                journal.log({"validation/late/auc": step / 7}, step)

    whole = Journal(path.with_name("whole.jsonl"))
    whole.rewind(0)
    run(whole, 10, 200)

    first = Journal(path)
    first.rewind(0)
    run(first, 10, 140)
    second = Journal(path)
    second.rewind(100)
    run(second, 110, 200)

    assert path.read_bytes() == path.with_name("whole.jsonl").read_bytes()


def test_a_point_that_the_rewind_left_is_not_noted_twice(path, caplog):
    Journal(path).log({"test/late/auc": 0.7, "test/delay/r2": 0.2}, 100)
    again = Journal(path)
    again.rewind(100)
    again.log({"test/late/auc": 0.7, "test/delay/mae": 3.0}, 100)
    assert history(read(path)) == {
        "test/late/auc": [(100, 0.7)],
        "test/delay/r2": [(100, 0.2)],
        "test/delay/mae": [(100, 3.0)],
    }
    assert not caplog.records
    again.log({"test/late/auc": 0.8}, 100)
    assert "step 100: test/late/auc was 0.7 and is now 0.8; the first stays" in caplog.text


def test_a_rewind_that_cuts_nothing_leaves_the_file_alone(path):
    journal = Journal(path)
    journal.log({"a": 1.0}, 10)
    inode = path.stat().st_ino
    journal.rewind(10)
    assert path.stat().st_ino == inode
    journal.rewind(9)
    assert path.stat().st_ino != inode
    assert read(path) == []


def test_a_torn_last_line_is_left_out_and_cut_off_before_the_next(path):
    Journal(path).log({"a": 1.0}, 10)
    with path.open("a") as file:
        file.write('{"step": 20, "val')
    assert [entry.step for entry in read(path)] == [10]
    Journal(path).log({"a": 2.0}, 20)
    assert [entry.step for entry in read(path)] == [10, 20]


def test_a_file_of_one_torn_line_is_empty(path):
    path.parent.mkdir()
    path.write_text('{"step"')
    assert read(path) == []
    Journal(path).log({"a": 2.0}, 20)
    assert [entry.step for entry in read(path)] == [20]


def test_a_damaged_line_is_named(path):
    Journal(path).log({"a": 1.0}, 10)
    with path.open("a") as file:
        file.write("nothing\n")
    with pytest.raises(RunFailed) as refused:
        read(path)
    assert str(refused.value) == f"{path}:2: this line is not of a journal; it was changed or damaged."


def test_a_journal_that_was_never_begun_is_empty(path):
    assert read(path) == []
    Journal(path).rewind(0)
    Journal(path).flush()
    assert not path.exists()


def test_a_stale_attempt_may_not_write(path):
    def guard() -> None:
        raise RunFailed("attempt 2 has taken this run over")

    for act in (lambda j: j.log({"a": 1.0}, 1), lambda j: j.rewind(0), lambda j: j.artifact(Path(__file__))):
        with pytest.raises(RunFailed, match="attempt 2"):
            act(Journal(path, guard=guard))
    assert not path.exists()


def test_a_full_disk_is_said_with_the_path(tmp_path):
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(RunFailed) as refused:
        Journal(tmp_path / "metrics.jsonl").log({"a": 1.0}, 1)
    assert str(refused.value).endswith("metrics.jsonl: the journal could not be written (No space left on device).")


def test_artifacts_are_kept_with_the_run(path, tmp_path):
    (tmp_path / "plot.csv").write_text("1,2")
    journal = Journal(path)
    journal.artifact(tmp_path / "plot.csv")
    assert (path.parent / "artifacts" / "plot.csv").read_text() == "1,2"
    journal.artifact(path.parent / "artifacts" / "plot.csv")  # it lies in the run already
    assert len(list(path.parent.rglob("plot.csv"))) == 1


def _log_for_ever(path: Path) -> None:
    journal = Journal(path)
    journal.rewind(read(path)[-1].step if read(path) else 0)
    step = read(path)[-1].step if read(path) else 0
    while True:
        step += 1
        journal.log({"train/late/loss": 1 / step, "system/seconds/wall": 0.1}, step)


def test_killed_at_any_moment_no_point_is_lost_or_doubled(path):
    for kill in itertools.count():
        child = multiprocessing.get_context("fork").Process(target=_log_for_ever, args=(path,))
        child.start()
        time.sleep(0.05)
        child.kill()
        child.join()
        entries = read(path)
        assert [entry.step for entry in entries] == list(range(1, len(entries) + 1))
        if kill >= 5 and len(entries) > 100:
            break
        assert kill < 100, "the writer hardly gets on"
