"""What a person can mend: a fault says the place, the value found, what is allowed and the likely mend.

PolygraftError(ValueError)
├── UserError             one or more faults in what the user gave; exit code 2, never a traceback
└── RunFailed             the run itself failed (a NaN loss, a worker that keeps dying); exit code 1
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing that a person can mend. `where` is `file:line` where there is one, else a file, a flag or a column."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class PolygraftError(ValueError):
    """The root of all our errors; pickles, so that it may cross processes."""


class UserError(PolygraftError):
    """Faults of the usage, the suite or the data, all of them at once."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        assert self.faults, "an error without a fault says nothing"
        super().__init__("\n".join(map(str, self.faults)))

    def __reduce__(self) -> tuple[type[UserError], tuple[tuple[Fault, ...]]]:
        return type(self), (self.faults,)


class RunFailed(PolygraftError):
    """The run cannot go on; what it had saved is intact."""


def fault(what: str, where: str = "") -> UserError:
    """An error with one fault."""
    return UserError([Fault(where, what)])


def nearest(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the known name that looks most like `name`; empty when none does."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{found[0]}'?" if found else ""
