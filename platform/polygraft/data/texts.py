"""Texts that stay in Arrow until somebody asks for them one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa


class Texts(Sequence[str]):
    """An Arrow array of texts, none of them null, as a sequence that equals a tuple or list of the same ones."""

    def __init__(self, arrow: pa.StringArray) -> None:
        self.arrow = arrow

    @cached_property
    def _plain(self) -> tuple[str, ...]:
        return tuple(self.arrow.to_pylist())

    def __getitem__(self, place: Any) -> Any:
        return self._plain[place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._plain)

    def __len__(self) -> int:
        return len(self.arrow)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Texts):
            return bool(self.arrow.equals(other.arrow))
        return self._plain == tuple(other) if isinstance(other, tuple | list) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._plain)

    def __repr__(self) -> str:
        return repr(self._plain)


class Counts(Mapping[str, int]):
    """How often each of some texts occurs. counts: int64 [texts], none of them 0."""

    def __init__(self, arrow: pa.StringArray, counts: np.ndarray) -> None:
        self.arrow, self._counts = arrow, counts

    @cached_property
    def _plain(self) -> dict[str, int]:
        return dict(zip(self.arrow.to_pylist(), self._counts.tolist(), strict=True))

    def __getitem__(self, text: str) -> int:
        return self._plain[text]

    def __iter__(self) -> Iterator[str]:
        return iter(self._plain)

    def __len__(self) -> int:
        return len(self.arrow)


def in_arrow(texts: Iterable[str]) -> pa.StringArray:
    """The same texts as an Arrow array: at no cost where they are one."""
    return texts.arrow if isinstance(texts, Texts | Counts) else pa.array(list(texts), pa.string())
