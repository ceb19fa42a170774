"""Ctrl-C and SIGTERM: the first asks the work to finish its step and save, the second ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from polygraft.core.atomic import write_text
from polygraft.core.logs import log
from polygraft.distributed.endings import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Takes the signals while its block runs; a context manager. Outside the main thread it takes none.

    stop: the file whose presence asks the work to stop; a left-over one is removed.
    """

    def __init__(self, stop: Path) -> None:
        self._stop = stop
        self._gently = False
        self._before: dict[signal.Signals, Any] = {}
        self.signum: int | None = None

    @contextmanager
    def gently(self) -> Iterator[None]:
        """Meanwhile the first signal asks; everywhere else it raises Interrupted where it strikes."""
        self._gently = True
        try:
            yield
        finally:
            self._gently = False

    def ask(self) -> None:
        """Ask the work to finish its step and save."""
        write_text(self._stop, "asked\n")

    def __enter__(self) -> Interrupts:
        self._stop.unlink(missing_ok=True)
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._take) for each in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for each, before in self._before.items():
            signal.signal(each, before)
        self._before = {}
        self._stop.unlink(missing_ok=True)

    def _take(self, signum: int, frame: FrameType | None) -> None:
        again = self.signum is not None
        self.signum = signum
        if again or not self._gently:
            raise Interrupted(signum)
        self.ask()
        log().warning("stopping after this step, and saving; once more ends it at once.")
