"""A prefetched iterator gives the same items and errors, keeps to its depth, and leaves no thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from polygraft.data.prefetch import prefetched


def ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "polygraft-prefetch"]


def test_the_items_are_the_same() -> None:
    assert list(prefetched(iter(range(100)), 3, lambda seconds: None)) == list(range(100))
    assert not ours()


def test_an_error_is_raised_where_the_items_are_taken() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("gone")

    taken = prefetched(items(), 2, lambda seconds: None)
    assert next(taken) == 1
    with pytest.raises(KeyError, match="gone"):
        next(taken)
    assert not ours()


def test_no_more_is_made_than_the_depth_allows() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for i in range(100):
            made.append(i)
            yield i

    taken = prefetched(items(), 2, lambda seconds: None)
    next(taken)
    time.sleep(0.1)
    assert len(made) <= 1 + 2 + 1  # taken, ready, in the thread's hands
    taken.close()
    assert not ours()


def test_waiting_is_reported_in_seconds() -> None:
    def slow() -> Iterator[int]:
        time.sleep(0.05)
        yield 1

    waits: list[float] = []
    list(prefetched(slow(), 2, waits.append))
    assert sum(waits) == pytest.approx(0.05, abs=0.045)


def test_an_iterator_that_is_dropped_takes_its_thread_along() -> None:
    taken = prefetched(iter(range(1000)), 1, lambda seconds: None)
    next(taken)
    del taken
    assert not ours()
