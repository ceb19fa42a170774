"""Standard normalisation of levels: spaces, case, and the marks of a missing value (as na_values of pandas' read_csv: https://pandas.pydata.org/docs/reference/api/pandas.read_csv.html)."""

from __future__ import annotations

from collections.abc import Mapping

from polygraft.data.cleaning.base import Cleaning
from polygraft.data.spelling import Spelling


class Levels(Cleaning):
    """Make one level of those that are only spelled differently, and missing of those that say so; of every category column.

    Wherever it stands, it comes before all steps that count levels. Targets are left as they are.
    case: upper and lower case are one. spaces: spaces at the ends are dropped, runs of them are one.
    null: levels that mean `missing`. same: more levels that are one, `{Farmr: Farmer}`; what they become is taken as it stands.
    """

    def __init__(
        self,
        case: bool = False,
        spaces: bool = True,
        null: tuple[str, ...] = ("", "?", "-", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null"),
        same: Mapping[str, str] = {},
    ) -> None:
        self._spelling = Spelling(case, spaces, tuple(null), tuple(sorted(same.items())))

    def spelling(self) -> Spelling:
        return self._spelling
