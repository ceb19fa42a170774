"""One background thread that works ahead of its consumer, by a bounded number of items, and ends with it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def prefetched(items: Iterator[Item], depth: int, waited: Callable[[float], None]) -> Iterator[Item]:
    """The same items, up to `depth` of them made ahead of time in a thread of their own.

    The thread starts at the first `next` and has ended when this generator is closed or exhausted; what it raises is raised
    here. `waited` hears the seconds for which each `next` found nothing ready.
    """
    ready: queue.Queue[tuple[str, Item | BaseException | None]] = queue.Queue(depth)
    stop = threading.Event()

    def work() -> None:
        try:
            for item in items:
                ready.put(("item", item))
                if stop.is_set():
                    return
            ready.put(("end", None))
        except BaseException as error:
            ready.put(("error", error))

    thread = threading.Thread(target=work, name="polygraft-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            start = time.perf_counter()
            kind, item = ready.get()
            waited(time.perf_counter() - start)
            if kind == "error":
                assert isinstance(item, BaseException)
                raise item
            if kind == "end":
                return
            yield item  # type: ignore[misc]
    finally:
        stop.set()
        while thread.is_alive():  # it may wait for a place: make one, until it has seen `stop`
            try:
                ready.get_nowait()
            except queue.Empty:
                thread.join(0.005)
