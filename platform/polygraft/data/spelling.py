"""Spelling: which texts of a category are one level, and which mean that it is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Spelling:
    """A text is squeezed (`spaces`), folded (`case`), looked up in `same`, and missing if it then is one of `nulls`.

    same and nulls are spelled themselves in the same way before they are compared.
    """

    case: bool = False
    spaces: bool = True
    nulls: tuple[str, ...] = ()
    same: tuple[tuple[str, str], ...] = ()

    def of(self, texts: Sequence[str | None]) -> list[str | None]:
        """Each text's level; None where it is missing."""
        nulls = set(map(self._plain, self.nulls))
        same = {self._plain(old): new for old, new in self.same}
        plain = [None if text is None else self._plain(text) for text in texts]
        return [None if text is None or text in nulls else same.get(text, text) for text in plain]

    def to_json(self) -> dict[str, Any]:
        return {"case": self.case, "spaces": self.spaces, "nulls": list(self.nulls), "same": list(map(list, self.same))}

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> Spelling:
        same = tuple((old, new) for old, new in fields["same"])
        return Spelling(fields["case"], fields["spaces"], tuple(fields["nulls"]), same)

    def _plain(self, text: str) -> str:
        if self.spaces:
            text = " ".join(text.split())
        return text.casefold() if self.case else text
