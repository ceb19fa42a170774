"""Plans: what fitting found out about one encoded column. Cleaning and encoding only ever change a plan; kernels apply it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polygraft.core.batch import Input
from polygraft.data.spelling import Spelling

Bend = Callable[[np.ndarray], np.ndarray]
"""A function of filled and clipped values, one by one, float64 [rows]."""


@dataclass(frozen=True)
class NumberPlan:
    """A number x becomes (bend(clip(x or fill, low, high)) - mean) / scale; `indicator` adds a column that is 1 where x is missing.

    name: of the encoded column. fill: NaN until a step says otherwise; then the mean is taken.
    nearest, references: a missing x becomes the mean of so many nearest of so many training rows instead, encoded; 0: no.
    knots: what a bending encoder's `bend` goes by (see Encoder), if anything; few encoders bend.
    """

    name: str
    fill: float = math.nan
    low: float = -math.inf
    high: float = math.inf
    mean: float = 0.0
    scale: float = 1.0
    indicator: bool = False
    nearest: int = 0
    references: int = 0
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
    fill: the level that null becomes, in place of both. spellings: what is made of a text before it is looked up, in order.
    buckets: in place of `levels`, how many codes its encoder has for them; 0 for none.
    """

    name: str
    levels: tuple[str, ...] = ()
    null: bool = False
    fill: str | None = None
    spellings: tuple[Spelling, ...] = ()
    buckets: int = 0

    @property
    def size(self) -> int:
        """How many codes there are, the unknown one included."""
        return 1 + len(self.levels) + self.buckets + self.null

    def spelled(self, texts: Sequence[str]) -> list[str | None]:
        """Each text's level; None where it means that the value is missing."""
        found: list[str | None] = list(texts)
        for spelling in self.spellings:
            found = spelling.of(found)
        return found

    def codes(self, levels: Sequence[str]) -> np.ndarray:
        """int32 [levels]: each level's place, as spelled."""
        places = pc.index_in(pa.array(levels, pa.string()), pa.array(self.levels, pa.string()))
        return np.asarray(places.fill_null(-1), np.int32) + 1

    def to_json(self) -> dict[str, Any]:
        plain = {"name": self.name, "levels": list(self.levels), "null": self.null, "fill": self.fill}
        return {**plain, "spellings": [each.to_json() for each in self.spellings], "buckets": self.buckets}

    @staticmethod
    def from_json(fields: dict[str, Any]) -> CategoryPlan:
        """Plans from before there were spellings have none."""
        spellings = tuple(map(Spelling.from_json, fields.get("spellings", ())))
        plain = CategoryPlan(fields["name"], tuple(fields["levels"]), fields["null"], fields.get("fill"))
        return replace(plain, spellings=spellings, buckets=fields.get("buckets", 0))


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
        said = {key: tuple(each) if isinstance(each, list) else each for key, each in said.items()}
        return InputPlan(Input(**said), fields["state"])


Plan = NumberPlan | CategoryPlan
