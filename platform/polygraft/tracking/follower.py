"""Follows a run's journal while it grows, and hands each point to whoever wants it, once and in order."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

from polygraft.core.logs import log
from polygraft.tracking.journal import Entry, parse

Listener = Callable[[Sequence[Entry]], None]
"""Takes new entries, in order. What it raises, it is called with again, later."""


class Tail:
    """The lines of one journal that are new since the last look, also when a rewind has put a shorter file in its place.

    A point that is logged again, equal, after a rewind is not new; a different one is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._offset = 0
        self._seen: set[bytes] = set()

    def new(self) -> list[Entry]:
        """The entries that were not there, or not whole, before."""
        entries = self._read()
        if self._file is not None and self._replaced():
            # The open file keeps its inode from being given to another, so a different one means a different file.
            self.close()
            entries += self._read()
        return entries

    def close(self) -> None:
        """Let go of the file; another look opens it anew."""
        if self._file is not None:
            self._file.close()
        self._file, self._offset = None, 0

    def _read(self) -> list[Entry]:
        if self._file is None:
            try:
                self._file = self._path.open("rb", buffering=0)
            except FileNotFoundError:
                return []
        # Always from the start of the first unfinished line: a torn one may have been cut off and written anew.
        self._file.seek(self._offset)
        *lines, rest = self._file.read().split(b"\n")
        self._offset = self._file.tell() - len(rest)
        return [entry for line in lines if (entry := self._fresh(line)) is not None]

    def _fresh(self, line: bytes) -> Entry | None:
        digest = hashlib.blake2b(line, digest_size=12).digest()
        if digest in self._seen:
            return None
        self._seen.add(digest)
        try:
            return parse(line.decode())
        except (ValueError, KeyError, TypeError, AttributeError):
            log().warning("%s: passed over a line that is not of a journal", self._path)
            return None

    def _replaced(self) -> bool:
        assert self._file is not None
        try:
            return self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return False


class Follower:
    """Feeds each listener from `metrics.jsonl` and `system.jsonl` of a run, in a thread of its own, from the first line on.

    A listener that fails is tried again with growing pauses and reported once; the others and the run do not wait for it.
    give_up_s: how long `stop` goes on trying. A context manager.
    """

    def __init__(
        self, journal: Path, listeners: Iterable[Listener], *, every_s: float = 0.5, give_up_s: float = 20.0
    ) -> None:
        paths = (journal, journal.with_name("system.jsonl"))
        self._feeds = [_Feed(listener, paths, every_s, give_up_s) for listener in listeners]

    def start(self) -> None:
        """Begin to follow."""
        for feed in self._feeds:
            feed.start()

    def stop(self) -> None:
        """Hand over what is left and return; what a listener would not take is said."""
        for feed in self._feeds:
            feed.over.set()
        for feed in self._feeds:
            if feed.is_alive():
                feed.join()

    def __enter__(self) -> Follower:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Feed(threading.Thread):
    """One listener's thread: it reads, hands over, and keeps what was not taken."""

    def __init__(self, listener: Listener, paths: Sequence[Path], every_s: float, give_up_s: float) -> None:
        super().__init__(name="follower", daemon=True)
        self.over = threading.Event()
        self._listener, self._every_s, self._give_up_s = listener, every_s, give_up_s
        self._tails = [Tail(path) for path in paths]
        self._pending: list[Entry] = []
        self._failures = 0

    def run(self) -> None:
        while not self.over.wait(pause_s(self._failures, self._every_s)):
            self._turn()
        deadline = time.monotonic() + self._give_up_s
        while not self._turn() and time.monotonic() < deadline:
            time.sleep(min(pause_s(self._failures, self._every_s), max(0.0, deadline - time.monotonic())))
        if self._pending:
            log().warning(
                "%s: it has not taken the last %d lines of the journal, which has them all.",
                _name(self._listener),
                len(self._pending),
            )
        for tail in self._tails:
            tail.close()

    def _turn(self) -> bool:
        """Read what is new and hand it over; whether nothing is left."""
        for tail in self._tails:
            self._pending += tail.new()
        if not self._pending:
            return True
        try:
            self._listener(tuple(self._pending))
        except Exception as error:  # whatever a tracking server or a terminal may do, the run goes on
            if not self._failures:
                log().warning("%s: %s; the run goes on, it is tried again.", _name(self._listener), _first_line(error))
            self._failures += 1
            return False
        if self._failures:
            log().warning("%s: it takes entries again.", _name(self._listener))
        self._failures = 0
        self._pending = []
        return True


def pause_s(failures: int, every_s: float) -> float:
    """Seconds until the next try: doubled with each failure in a row, at most 30."""
    return min(every_s * 2.0 ** min(failures, 10), max(30.0, every_s))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _name(listener: Listener) -> str:
    owner = getattr(listener, "__self__", listener)
    return getattr(owner, "__name__", None) or type(owner).__name__
