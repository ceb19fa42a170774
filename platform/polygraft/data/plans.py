"""Plans: what fitting found out about one encoded column. Cleaning and encoding only ever change a plan; kernels apply it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from polygraft.core.batch import Input

Bend = Callable[[np.ndarray], np.ndarray]
"""A function of filled and clipped values, one by one, float64 [rows]."""


@dataclass(frozen=True)
class NumberPlan:
    """A number x becomes (bend(clip(x or fill, low, high)) - mean) / scale; `indicator` adds a column that is 1 where x is missing.

    name: of the encoded column. fill: NaN until a step says otherwise; then the mean is taken.
    knots: what a bending encoder's `bend` goes by (see Encoder), if anything; few encoders bend.
    """

    name: str
    fill: float = math.nan
    low: float = -math.inf
    high: float = math.inf
    mean: float = 0.0
    scale: float = 1.0
    indicator: bool = False
    knots: tuple[float, ...] = ()

    def clip(self, values: Any) -> Any:
        """Values within [low, high], as the kernel does it."""
        return np.minimum(np.maximum(values, self.low), self.high)

    def finished(self, mean: float) -> NumberPlan:
        """The same with a fill: `mean` when no step gave one."""
        return replace(self, fill=mean if math.isnan(self.fill) else self.fill)

    def to_json(self) -> dict[str, Any]:
        """JSON has no infinities: no bound is null."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }

    @staticmethod
    def from_json(fields: dict[str, Any]) -> NumberPlan:
        unbounded = {"fill": math.nan, "low": -math.inf, "high": math.inf}
        values: dict[str, Any] = {key: unbounded[key] if value is None else value for key, value in fields.items()}
        return NumberPlan(**values | {"knots": tuple(values["knots"])})


@dataclass(frozen=True)
class CategoryPlan:
    """A level becomes its place in `levels` + 1; what is not there becomes 0, the unknown; null has the last code, if any.

    null: whether null has a code of its own (it was seen in training); else it is unknown.
    """

    name: str
    levels: tuple[str, ...] = ()
    null: bool = False

    @property
    def size(self) -> int:
        """How many codes there are, the unknown one included."""
        return 1 + len(self.levels) + self.null

    @property
    def null_code(self) -> int:
        """What null becomes."""
        return len(self.levels) + 1 if self.null else 0

    def mapping(self, texts: list[str]) -> np.ndarray:
        """int32 [len(texts)]: the code of each text."""
        code = {level: i + 1 for i, level in enumerate(self.levels)}
        return np.fromiter((code.get(text, 0) for text in texts), np.int32, len(texts))

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "levels": list(self.levels), "null": self.null}

    @staticmethod
    def from_json(fields: dict[str, Any]) -> CategoryPlan:
        return CategoryPlan(fields["name"], tuple(fields["levels"]), fields["null"])


@dataclass(frozen=True)
class InputPlan:
    """A column becomes an input of its own. state: all that its encoder learned from the training rows, JSON-able."""

    input: Input
    state: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {"input": asdict(self.input), "state": dict(self.state)}

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> InputPlan:
        said = dict(fields["input"])
        return InputPlan(Input(**said | {"shape": tuple(said["shape"])}), fields["state"])


Plan = NumberPlan | CategoryPlan
