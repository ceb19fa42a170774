"""What is to be done with a worker group: pure decisions, so that every case is a line of a table in the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from polygraft.core.errors import PolygraftError


class Wanted(Protocol):
    """What a suite says of its workers: how many at most, how many at least, and how many failures are borne in a row."""

    @property
    def most(self) -> int: ...
    @property
    def least(self) -> int: ...
    @property
    def max_failures(self) -> int: ...


@dataclass(frozen=True)
class Restart:
    """Begin again with `count` workers."""

    count: int


@dataclass(frozen=True)
class Shrink:
    """Begin again with fewer, `count`, workers."""

    count: int


@dataclass(frozen=True)
class Stop:
    """Give up; `reason` is for a person."""

    reason: str


def after_death(workers: Wanted, alive: int, failures: int) -> Restart | Shrink | Stop:
    """What to do when a worker died.

    alive: workers for which the living machines have room. failures: deaths since the run last saved a checkpoint.
    """
    if failures > workers.max_failures:
        return Stop(f"{failures} failures without a step forward; workers.max_failures is {workers.max_failures}")
    if alive >= workers.most:
        return Restart(workers.most)
    if alive >= workers.least:
        return Shrink(alive)
    return Stop(f"there is room for {alive} of at least {workers.least} workers")


@dataclass(frozen=True)
class Done:
    """The work returned; of rank 0 the value is the group's."""

    value: Any = None


@dataclass(frozen=True)
class Refused:
    """The work ended with an error of ours: another try would end the same way."""

    error: PolygraftError


@dataclass(frozen=True)
class Crashed:
    """The work ended with an error nobody foresaw; `trace` is its traceback. lost_peer: a fellow worker went away under it."""

    message: str
    trace: str
    lost_peer: bool = False


@dataclass(frozen=True)
class Died:
    """The process is gone."""

    reason: str


Outcome = Done | Refused | Crashed | Died


def settled(outcomes: Mapping[int, Outcome], world: int) -> bool:
    """Whether nothing more need be waited for: all are here, or one of them explains the others."""
    return len(outcomes) == world or any(isinstance(each, Refused | Died) for each in outcomes.values())


def verdict(outcomes: Mapping[int, Outcome]) -> Outcome:
    """What became of the group, by rank: the cause, where one rank's end brought about the others'.

    A worker whose fellow was killed sees a broken connection, so a death explains a crash; an error of ours explains both,
    since the process that raised it may have closed its connections.
    """
    ended: Sequence[Outcome] = [outcomes[rank] for rank in sorted(outcomes)]
    crashes = [each for each in ended if isinstance(each, Crashed)]
    for kind in (Refused, Died):
        for each in ended:
            if isinstance(each, kind):
                return each
    for crash in crashes:
        if not crash.lost_peer:
            return crash
    if crashes:
        return Died(f"a worker lost its fellows ({crashes[0].message})")
    return outcomes[0]
