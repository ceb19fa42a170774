"""Exhibits: arrays that an objective wants drawn; the report draws them later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Exhibit:
    """One picture to be: its kind says how it is drawn, its arrays what.

    kind: `curve`, `heatmap`, `alignment` (a heat map whose lines and columns are different things, whose names may repeat), `histogram`, `scatter`, `images`, `table`.
    arrays: by axis name, e.g. `x [n]`, `y [n]`; of a scatter also `group [n]`, names; of images `pixels` uint8 [lines, columns, channels, height, width].
    words: title and labels.
    """

    kind: str
    title: str
    arrays: Mapping[str, np.ndarray]
    words: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain values; names become texts, numbers keep six digits."""
        arrays = {name: {"type": _kind(each), "values": _plain(each)} for name, each in self.arrays.items()}
        return {"kind": self.kind, "title": self.title, "arrays": arrays, "words": dict(self.words)}

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> Exhibit:
        """What `to_json` wrote."""
        arrays = {name: np.array(each["values"], each["type"]) for name, each in fields["arrays"].items()}
        return Exhibit(fields["kind"], fields["title"], arrays, fields["words"])


def _kind(array: np.ndarray) -> str:
    return "object" if array.dtype.kind in "OUS" else str(array.dtype)


def _plain(array: np.ndarray) -> Any:
    if array.dtype.kind == "f":
        return np.array([float(f"{each:.6g}") for each in array.ravel()]).reshape(array.shape).tolist()
    return array.astype(str).tolist() if _kind(array) == "object" else array.tolist()
