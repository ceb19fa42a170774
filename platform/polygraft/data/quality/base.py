"""What a quality check is: a pure function of a table's survey, to findings with the line that mends each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from polygraft.data.survey import Survey

Severity = Literal["serious", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("serious", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """check: who found it. place: inside the table, as `columns.age`. figure: how much of it, in `unit`.

    mend: the line of the table's YAML that mends it; empty where nothing that exists does.
    """

    check: str
    severity: Severity
    place: str
    figure: float
    unit: str
    words: str
    mend: str = ""


class Check(ABC):
    """One kind of dirt."""

    @abstractmethod
    def look(self, seen: Survey) -> Iterable[Finding]:
        """All of it in one table."""
