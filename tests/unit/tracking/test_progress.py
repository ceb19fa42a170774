"""The bar says how far a run is, fits its terminal, and leaves other words whole."""

from __future__ import annotations

import io
import logging

import pytest

from polygraft.core.logs import log, set_up
from polygraft.tracking import progress
from polygraft.tracking.journal import Entry
from polygraft.tracking.progress import Pace, Progress, advance, clock, render, render_plain, seconds_left

PACE = Pace(1200, 2000, rows_a_second=12345.6, seconds_left=42.4, losses={"late": 0.41234567, "delay": 0.8})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar():
    assert (
        render(PACE, 120) == "1,200/2,000  ━━━━━━━━━━━━────────  60%  0:42 left  12,346 rows/s  late 0.4123  delay 0.8"
    )


@pytest.mark.parametrize("width", range(5, 100, 3))
def test_the_bar_fits(width):
    assert len(render(PACE, width)) <= width
    assert render(PACE, width).startswith("1,200"[:width])


def test_what_does_not_fit_is_left_out_whole():
    assert render(PACE, 70) == "1,200/2,000  ━━━━━━━━━━━━────────  60%  0:42 left  12,346 rows/s"


def test_what_is_not_known_is_not_said():
    assert render(Pace(0, 2000), 80) == "0/2,000  ────────────────────  0%"
    assert render_plain(Pace(0, 2000)) == "step 0 of 2,000"


def test_the_plain_line():
    assert render_plain(PACE) == "step 1,200 of 2,000, 12,346 rows/s, loss late 0.4123, delay 0.8, 0:42 left"


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (725, "12:05"), (3725, "1:02:05")])
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_entries_move_it_on():
    pace = Pace(0, 100)
    for entry in (
        Entry(50, {"train/late/loss": 0.5, "balance/weight/late": 2.0}),
        Entry(50, {"system/samples_per_second": 1000.0, "system/seconds/wall": 2.0}, time=1.0, attempt=1),
        Entry(60, {"validation/late/auc": 0.7, "train/delay/loss": 0.9}),
    ):
        pace = advance(pace, entry)
    assert pace == Pace(60, 100, rows_a_second=1000.0, losses={"late": 0.5, "delay": 0.9})


def test_the_rate_is_that_of_the_last_seconds_and_not_of_one_step_with_an_evaluation():
    pace = Pace(0, 100)
    for rate, seconds in (
        (10.0, 60.0),
        (1000.0, 3.0),
        (1000.0, 1.0),
        (50.0, 4.0),
    ):  # the first compiles, the last evaluates
        pace = advance(pace, Entry(1, {"system/samples_per_second": rate, "system/seconds/wall": seconds}))
    assert pace.rows_a_second == pytest.approx((1000 + 200) / 5)
    assert len(pace.recent) == 2


def test_time_left_is_known_once_a_step_was_seen():
    assert seconds_left((100, 5.0), 9.0, Pace(100, 300)) is None
    assert seconds_left((100, 5.0), 9.0, Pace(200, 300)) == 4.0
    assert seconds_left((100, 5.0), 9.0, Pace(400, 300)) == 0.0


def test_a_log_line_stands_above_the_bar(monkeypatch):
    stream = Terminal()
    set_up()
    log().handlers[0].setStream(stream)
    try:
        with Progress(100, stream) as bar:
            bar([Entry(50, {"train/late/loss": 0.5})])
            log().info("a checkpoint was saved")
        assert log().handlers[0].stream is stream
    finally:
        log().handlers.clear()
        log().propagate = True
        log().setLevel(logging.NOTSET)
    drawn = "\r\x1b[K50/100  ━━━━━━━━━━──────────  50%  late 0.5"
    assert stream.getvalue() == f"{drawn}\r\x1b[Ka checkpoint was saved\n{drawn}\n"


def test_without_a_terminal_a_plain_line_now_and_then(monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    stream = io.StringIO()
    with Progress(100, stream) as bar:
        for second in range(1, 26):
            now = float(second)
            bar([Entry(second, {"train/late/loss": 0.5})])
    assert stream.getvalue() == ("step 10 of 100, loss late 0.5, 1:30 left\nstep 20 of 100, loss late 0.5, 1:20 left\n")
