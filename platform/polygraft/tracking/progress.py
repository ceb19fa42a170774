"""The bar at the foot of the terminal: step, rows a second, losses, time left; plain lines where there is no terminal."""

from __future__ import annotations

import logging
import shutil
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TextIO

from polygraft.core.logs import log
from polygraft.tracking.journal import Entry

RECENT_S = 5.0


@dataclass(frozen=True)
class Pace:
    """How far a run is. rows_a_second and seconds_left are None as long as they are not known; losses by task.

    recent: (rows, seconds) of the latest entries, as many as make RECENT_S seconds: one entry alone may hold a single step
        and the evaluation before it.
    """

    step: int
    total: int
    rows_a_second: float | None = None
    seconds_left: float | None = None
    losses: Mapping[str, float] = field(default_factory=dict)
    recent: tuple[tuple[float, float], ...] = field(default=(), compare=False)


class Progress:
    """A listener of the journal that draws how far the run is, on stderr by default.

    A context manager: meanwhile polygraft's log goes through it, so that a line of the log stands above the bar.
    plain_every_s: seconds between the lines that stand for the bar where the stream is no terminal.
    """

    def __init__(self, total: int, stream: TextIO | None = None, *, plain_every_s: float = 10.0) -> None:
        self._stream = stream or sys.stderr
        self._plain_every_s = plain_every_s
        self._bar = self._stream.isatty()
        self._pace = Pace(0, total)
        self._first: tuple[int, float] | None = None
        self._said = time.monotonic()
        self._turn = threading.RLock()
        self._borrowed: list[tuple[logging.StreamHandler[TextIO], TextIO]] = []

    def __call__(self, entries: Sequence[Entry]) -> None:
        """Take new entries and draw."""
        now = time.monotonic()
        with self._turn:
            for entry in entries:
                self._pace = advance(self._pace, entry)
            if self._first is None:
                self._first = (self._pace.step, now)
            self._pace = replace(self._pace, seconds_left=seconds_left(self._first, now, self._pace))
            if self._bar:
                self._draw()
            elif now - self._said >= self._plain_every_s:
                self._said = now
                self._stream.write(render_plain(self._pace) + "\n")
                self._stream.flush()

    def write(self, text: str) -> int:
        """Write lines above the bar."""
        with self._turn:
            self._stream.write(("\r\x1b[K" if self._bar else "") + text)
            if self._bar and text.endswith("\n"):
                self._draw()
        return len(text)

    def flush(self) -> None:
        """Pass on to the stream."""
        self._stream.flush()

    def __enter__(self) -> Progress:
        for handler in log().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is self._stream:
                self._borrowed.append((handler, handler.stream))
                handler.setStream(self)  # it writes and flushes, which is all a handler asks for
        return self

    def __exit__(self, *_: object) -> None:
        for handler, stream in self._borrowed:
            handler.setStream(stream)
        self._borrowed.clear()
        with self._turn:
            if self._bar and self._first is not None:
                self._stream.write("\n")
                self._stream.flush()
            self._bar = False

    def _draw(self) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._stream.write("\r\x1b[K" + render(self._pace, width))
        self._stream.flush()


def advance(pace: Pace, entry: Entry) -> Pace:
    """The pace after one more entry."""
    losses = {
        key.split("/")[1]: value
        for key, value in entry.values.items()
        if key.startswith("train/") and key.endswith("/loss")
    }
    moved = replace(pace, step=max(pace.step, entry.step), losses={**pace.losses, **losses})
    speed, seconds = (entry.values.get(f"system/{name}") for name in ("samples_per_second", "seconds/wall"))
    if speed is None or not seconds:
        return moved
    recent = lately([*pace.recent, (speed * seconds, seconds)])
    rows, wall = map(sum, zip(*recent, strict=True))
    return replace(moved, recent=recent, rows_a_second=rows / wall)


def lately(entries: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The fewest of the last (rows, seconds) that make RECENT_S seconds; all of them where they do not."""
    first = len(entries)
    while first > 0 and sum(seconds for _, seconds in entries[first:]) < RECENT_S:
        first -= 1
    return tuple(entries[first:])


def seconds_left(first: tuple[int, float], now: float, pace: Pace) -> float | None:
    """From the steps and seconds since the first look; None before a step was seen to be done."""
    step, since = first
    if pace.step <= step:
        return None
    return (now - since) / (pace.step - step) * max(0, pace.total - pace.step)


def render(pace: Pace, width: int) -> str:
    """One line of at most `width` letters; what does not fit is left out, the losses first."""
    share = min(1.0, pace.step / max(1, pace.total))
    filled = round(20 * share)
    parts = [f"{pace.step:,}/{pace.total:,}", "━" * filled + "─" * (20 - filled), f"{share:.0%}"]
    if pace.seconds_left is not None:
        parts.append(f"{clock(pace.seconds_left)} left")
    if pace.rows_a_second is not None:
        parts.append(f"{pace.rows_a_second:,.0f} rows/s")
    parts += [f"{task} {value:.4g}" for task, value in pace.losses.items()]
    while len(parts) > 1 and len("  ".join(parts)) > width:
        parts.pop()
    return "  ".join(parts)[:width]


def render_plain(pace: Pace) -> str:
    """The same as a sentence for a log file."""
    parts = [f"step {pace.step:,} of {pace.total:,}"]
    if pace.rows_a_second is not None:
        parts.append(f"{pace.rows_a_second:,.0f} rows/s")
    if pace.losses:
        parts.append("loss " + ", ".join(f"{task} {value:.4g}" for task, value in pace.losses.items()))
    if pace.seconds_left is not None:
        parts.append(f"{clock(pace.seconds_left)} left")
    return ", ".join(parts)


def clock(seconds: float) -> str:
    """`0:42`, `12:05`, `1:02:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
