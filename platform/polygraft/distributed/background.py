"""Something done aside, in a thread, whose value or error is had when it is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """Does `function` once, in a daemon thread: from `begin` on, or from when its value is first asked for."""

    def __init__(self, function: Callable[[], T], name: str) -> None:
        self._function = function
        self._value: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._turn = threading.Lock()

    def begin(self) -> Background[T]:
        """Begin, unless it has begun; itself."""
        with self._turn:
            if self._thread.ident is None:
                self._thread.start()
        return self

    def result(self) -> T:
        """Wait for its value. Raises what it raised."""
        self.settled()
        if self._error is not None:
            raise self._error
        return self._value[0]

    def settled(self) -> T | None:
        """Wait for its value; None when it raised."""
        self.begin()
        while self._thread.is_alive():
            self._thread.join(0.2)  # a join without end would keep signals waiting
        return self._value[0] if self._value else None

    def _run(self) -> None:
        try:
            self._value.append(self._function())
        except BaseException as error:  # raised again where it is waited for
            self._error = error
