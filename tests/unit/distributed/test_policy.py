"""What is to be done when something happened to a group: every case a line."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from polygraft.core.errors import RunFailed, fault
from polygraft.distributed.policy import (
    Crashed,
    Died,
    Done,
    Refused,
    Restart,
    Shrink,
    Stop,
    after_death,
    settled,
    verdict,
)
from polygraft.suite.running import WorkersSuite


@dataclass(frozen=True)
class Workers:
    most: int
    least: int
    max_failures: int


@pytest.mark.parametrize(
    ("most", "least", "max_failures", "alive", "failures", "expected"),
    [
        (2, 2, 3, 2, 1, Restart(2)),
        (2, 2, 3, 9, 3, Restart(2)),
        (2, 2, 3, 2, 4, Stop("4 failures without a step forward; workers.max_failures is 3")),
        (2, 2, 0, 2, 1, Stop("1 failures without a step forward; workers.max_failures is 0")),
        (2, 2, 3, 1, 1, Stop("there is room for 1 of at least 2 workers")),
        (8, 2, 3, 8, 1, Restart(8)),
        (8, 2, 3, 5, 1, Shrink(5)),
        (8, 2, 3, 2, 3, Shrink(2)),
        (8, 2, 3, 1, 1, Stop("there is room for 1 of at least 2 workers")),
        (8, 2, 3, 0, 1, Stop("there is room for 0 of at least 2 workers")),
        (8, 2, 3, 5, 4, Stop("4 failures without a step forward; workers.max_failures is 3")),
    ],
)
def test_what_follows_a_death(most, least, max_failures, alive, failures, expected):
    assert after_death(Workers(most, least, max_failures), alive, failures) == expected


def test_the_suite_says_what_the_policy_asks():
    assert after_death(WorkersSuite(count=2), alive=2, failures=1) == Restart(2)
    assert after_death(WorkersSuite(count=2, min=1, max=4), alive=3, failures=1) == Shrink(3)


NAN, USER = Refused(RunFailed("the loss is NaN")), Refused(fault("no column 'x'"))
BUG, LOST, DEAD = Crashed("KeyError: 'x'", "..."), Crashed("Connection closed by peer", "...", True), Died("killed")


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ({0: Done(1), 1: Done(2)}, Done(1)),
        ({1: Done(2), 0: Done(1)}, Done(1)),
        ({0: NAN, 1: NAN}, NAN),
        ({0: LOST, 1: NAN}, NAN),  # the one that refused closed its connections
        ({0: DEAD, 1: USER}, USER),
        ({0: LOST, 1: DEAD}, DEAD),
        ({0: BUG, 1: DEAD}, DEAD),  # whatever a survivor says, the death came first
        ({0: LOST, 1: BUG}, BUG),
        ({1: BUG}, BUG),
        ({0: Done(1), 1: BUG}, BUG),
        ({0: LOST}, Died("a worker lost its fellows (Connection closed by peer)")),
        ({0: LOST, 1: LOST}, Died("a worker lost its fellows (Connection closed by peer)")),
    ],
)
def test_the_cause_of_a_groups_end(outcomes, expected):
    assert verdict(outcomes) == expected


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ({}, False),
        ({0: Done()}, False),
        ({0: Done(), 1: Done()}, True),
        ({1: BUG}, False),
        ({1: DEAD}, True),
        ({0: NAN}, True),
    ],
)
def test_when_nothing_more_need_be_waited_for(outcomes, expected):
    assert settled(outcomes, world=2) is expected
