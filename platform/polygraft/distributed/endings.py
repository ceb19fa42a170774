"""How a run may end before its time: somebody interrupted it, or it failed. Both know what it had come to."""

from __future__ import annotations

import signal

from polygraft.assembly.run import Run
from polygraft.core.errors import RunFailed


class Interrupted(KeyboardInterrupt):
    """A signal ended the run. result: what it came to, saved; None when nothing was begun. exit_code: 130 or 143."""

    def __init__(self, signum: int, result: Run | None = None) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}")
        self.signum, self.result = signum, result

    @property
    def exit_code(self) -> int:
        """As a shell says it."""
        return 128 + self.signum


class Failed(RunFailed):
    """The run cannot go on. result: what it had come to; its checkpoints are intact."""

    def __init__(self, message: str, result: Run) -> None:
        super().__init__(message)
        self.result = result
