"""The clock adds up, and starts anew when it was asked."""

from __future__ import annotations

import time

from polygraft.training.clock import Clock


def test_seconds_are_added_by_part_and_taken_once():
    clock = Clock()
    for _ in range(2):
        with clock.part("data"):
            pass
    clock.rows(100)
    taken = clock.take()
    assert taken["system/seconds/data"] >= 0
    assert taken["system/samples_per_second"] > 0
    assert taken["system/seconds/wall"] >= taken["system/seconds/data"]
    again = clock.take()
    assert "system/seconds/data" not in again
    assert again["system/samples_per_second"] == 0
    assert clock.rate > 0


def test_a_part_that_fails_is_counted_all_the_same():
    clock = Clock()
    try:
        with clock.part("data"):
            raise KeyError
    except KeyError:
        pass
    assert "system/seconds/data" in clock.take()


def test_the_share_of_waiting_for_data_is_of_all_time_and_of_the_time_since_it_was_asked():
    clock = Clock()
    with clock.part("data"):
        time.sleep(0.02)
    first = clock.take()["system/data_wait_share"]
    assert 0 < first <= 1
    with clock.part("forward"):
        time.sleep(0.02)
    assert clock.take()["system/data_wait_share"] == 0
    assert 0 < clock.waited_share < first
