"""Sections: what a suite says of its tables, its tasks, its balancer and its transfer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

from polygraft.core.kinds import Choice, Either, ListOf, MappingOf, Null, Range, Scalar
from polygraft.suite.fields import Room, Short, Taking, gather

Key = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")]
"""A name that may stand in a metric's key: letters, digits, _ and -."""
Count = Annotated[int, Field(ge=1)]
Size = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)? ?(KB|MB|GB|TB)$")]
"""Bytes, as in `512MB`; a KB is 1,024 of them."""
_TEXT = Scalar("str")
_PLAIN = Either((_TEXT, Scalar("float"), Scalar("bool")))
_SHARE = Taking(Either((Scalar("float"), _TEXT, Scalar("bool"))))
_TEXTS = Taking(Either((_TEXT, ListOf(_TEXT))))
Often = Annotated[int, Field(ge=0)]  # every so many steps; 0 is never


class Section(BaseModel):
    """A mapping with known keys; frozen, strict about types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())


class Named(Section):
    """Any mention of a plugin: its name and its settings. In a suite `hard` stands for `{name: hard}`."""

    name: str
    settings: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        return gather(value, own=("name",))

    @model_serializer
    def _written(self) -> dict[str, Any]:
        return {"name": self.name, **self.settings}


class SplitSuite(Section):
    """Which rows are for validation and for test; the rest is for training.

    validation, test: shares of the rows; with `by: column` a value of that column, or a share drawn from the rest.
    """

    by: Literal["random", "time", "group", "column"] = "random"
    column: str | None = None
    validation: Annotated[float | str | bool, _SHARE] = 0.1
    test: Annotated[float | str | bool, _SHARE] = 0.2


class WindowSuite(Section):
    """The `length` values of a column that end `lag` rows before the row itself; 0 is the row's own."""

    length: Count
    lag: Annotated[int, Field(ge=0)] = 0


class SeriesSuite(Section):
    """A table whose rows are moments of a series; by: columns whose equal values are one series, where there are several.

    lags: by column, how many rows ago; `load lag 24` is then a feature. windows: by column; `load window` is then a list of
    its last values, never of a later one. ahead: by column, how many rows later; `load ahead 24` may then be a task's target.
    season: how many rows ago the value was that one would guess from; `mase` measures forecasts by that guess.
    """

    time: str
    by: list[str] = []
    lags: dict[str, Annotated[list[Count], Field(min_length=1)]] = {}
    windows: dict[str, Annotated[WindowSuite, Short("length", int)]] = {}
    ahead: dict[str, Annotated[list[Count], Field(min_length=1)]] = {}
    season: Count = 1


class TableSuite(Section):
    """A table: where its rows come from and what is done to them.

    source: files or a recipe; or an environment that is played, `{environment: CartPole-v1, instances: 8}`, where all else are its
    own arguments.
    columns: what inference would get wrong. weight: a column of row weights. clean: in this order. encode: by column,
    where the kind's own encoder is not wanted. series: what is made of rows that are moments. stem: absent, the one for the kinds of its columns. by_length:
    of so many batches at a time the rows are sorted by the length of their lists and texts, so that little is padded; 0 of
    none. sampling: how often a training row comes. memory: what preparing may take; a table for which that is too little is
    cleaned in a stream.
    """

    source: Annotated[str | dict[str, Any], Taking(Either((_TEXT, MappingOf(_PLAIN))))]
    columns: dict[str, Literal["number", "category", "boolean", "timestamp", "text", "list", "image"]] = {}
    drop: list[str] = []
    weight: str | None = None
    clean: list[Annotated[Named, Room("data/cleaning")]] = [
        Named(name="missing"),
        Named(name="outliers"),
        Named(name="rare_levels"),
    ]
    split: SplitSuite = SplitSuite()
    encode: dict[str, Annotated[Named, Room("data/encoders")]] = {}
    series: SeriesSuite | None = None
    by_length: Annotated[int, Field(ge=0)] = 0
    stem: Annotated[Named, Room("models/stems")] | None = None
    sampling: Annotated[Named, Room("data/samplers")] = Named(name="uniform")
    memory: Size = "4GB"

    @property
    def played(self) -> bool:
        """Whether it is an environment, which has no rows."""
        return isinstance(self.source, dict)

    @property
    def memory_bytes(self) -> int:
        """`memory`, as a number."""
        digits, unit = self.memory[:-2].strip(), self.memory[-2:]
        return int(float(digits) * 1024 ** ("KB", "MB", "GB", "TB").index(unit) * 1024)


BALANCER_KEYS = ("gradients", "rank", "agreement_every", "every")
"""What `balancer` says of itself, beside its method's name and settings."""


class BalancerSuite(Section):
    """The balancing method with its settings, and where its gradients are taken.

    gradients: `auto` is the first of the method's own modes that this network allows. rank: random columns of
    `last_layer`'s sketch; `full` is exact for that layer. agreement_every: steps between two measurements of how well
    the mode's Gramian agrees with the parameters'; 0 is never. every: steps between two refreshes of the weights; in
    between they are reused, and a step costs a plain one.
    """

    name: str = "equal"
    settings: dict[str, Any] = {}
    gradients: Literal["auto", "last_layer", "features", "parameters"] = "auto"
    rank: Annotated[int | Literal["full"], Taking(Either((Scalar("int", Range(min=1)), Choice(("full",)))))] = 16
    agreement_every: Often = 50
    every: Count = 1

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        return gather(value, own=("name", *BALANCER_KEYS))

    @model_serializer
    def _written(self) -> dict[str, Any]:
        return {"name": self.name, **self.settings, **{key: getattr(self, key) for key in BALANCER_KEYS}}


class PhaseSuite(Section):
    """One phase of a transfer plan. until: {steps: n}, {epochs: n} or {plateau: task/metric, patience: n}."""

    until: dict[str, Any] | None = None
    mode: str = "full"
    lr: Annotated[float, Field(gt=0)] | None = None
    layer_decay: Annotated[float, Field(gt=0, le=1)] | None = None


class TransferSuite(Section):
    """How a pretrained backbone becomes this suite's."""

    terms: list[Named] = []
    phases: list[PhaseSuite] = []


class TaskSuite(Section):
    """One task. data: its table, or the two of a domain objective. each: one task of each value of this column.

    weight: a factor of its loss; a task of weight 0 is not learned, and its target is no feature all the same.
    """

    data: Annotated[str | list[str], _TEXTS]
    target: Annotated[str | list[str] | None, Taking(Either((_TEXT, ListOf(_TEXT), Null())))] = None
    objective: Annotated[Named, Room("objectives")]
    weight: Annotated[float, Field(ge=0)] = 1.0
    head: Annotated[Named, Room("models/heads")] | None = None
    each: str | None = None

    @property
    def tables(self) -> list[str]:
        """The tables it learns from."""
        return [self.data] if isinstance(self.data, str) else self.data

    @property
    def targets(self) -> list[str]:
        """The columns it predicts; empty where it has none."""
        return [self.target] if isinstance(self.target, str) else self.target or []
