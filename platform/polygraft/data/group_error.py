"""What a model gets wrong in one group of a table's rows, and which columns are named as groups that should be treated alike."""

from __future__ import annotations

import re
from dataclasses import dataclass

NAMED = re.compile(r"(?i)(^|_)(sex|gender|race|ethnicity|religion|nationality|disability)(_|$)")


@dataclass(frozen=True)
class GroupError:
    """Of the test rows of one group. rows: labelled. error: a row's mean one, deviation: its standard deviation, both in `unit`."""

    task: str
    column: str
    group: str
    rows: int
    error: float
    deviation: float
    unit: str
    run: str
