"""Exhibits: arrays that an objective wants drawn; the report draws them later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Exhibit:
    """One picture to be: its kind says how it is drawn, its arrays what.

    kind: `curve`, `heatmap`, `histogram`, `scatter`, `images`, `table`.
    arrays: by axis name, e.g. `x [n]`, `y [n]`; of images `pixels` uint8 [lines, columns, channels, height, width].
    words: title and labels.
    """

    kind: str
    title: str
    arrays: Mapping[str, np.ndarray]
    words: Mapping[str, str] = field(default_factory=dict)
