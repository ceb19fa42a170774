"""Running: what a suite says of how long, how fast and on how many workers it learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from polygraft.suite.fields import Room, Short
from polygraft.suite.sections import Count, Named, Often, Section


class AdamW(Section):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    name: Literal["adamw"] = "adamw"
    lr: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    betas: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2)] = Field(
        default_factory=lambda: [0.9, 0.999]
    )
    eps: Annotated[float, Field(gt=0)] = 1e-8


class SGD(Section):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"] = "sgd"
    lr: Annotated[float, Field(gt=0)] = 1e-2
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False


class ScheduleSuite(Section):
    """How the learning rate moves. warmup: steps to the full rate. floor: the last rate as a share of the full one."""

    name: Literal["constant", "linear", "cosine"] = "constant"
    warmup: Annotated[int, Field(ge=0)] = 0
    floor: Annotated[float, Field(ge=0, le=1)] = 0.0


class TrainSuite(Section):
    """How long, how fast and on what a run learns.

    steps, epochs: one of them; an epoch is the longest table's where a step takes all, else all tables' together.
    batch_size: rows a step of each table that it takes, over all workers. mixture: which tables a step takes. shards: parts
    of a global batch that are summed in a fixed tree; absent, max(2, most workers). best: `task/metric` on validation;
    absent, the mean improvement over the constant predictor. patience: evaluations without improvement. keep: checkpoints
    kept beside the best. log_every, evaluate_every, save_every: steps, 0 is never; save_seconds: also by the clock.
    """

    steps: Count | None = None
    epochs: Annotated[float, Field(gt=0)] | None = None
    batch_size: Count = 1024
    mixture: Annotated[Named, Room("data/mixing")] = Named(name="all")
    optimizer: Annotated[AdamW | SGD, Field(discriminator="name"), Short("name", str, "adamw")] = AdamW()
    schedule: Annotated[ScheduleSuite, Short("name", str)] = ScheduleSuite()
    clip: Annotated[float, Field(gt=0)] | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    best: str | None = None
    patience: Count | None = None
    shards: Count = 2
    log_every: Often = 50
    evaluate_every: Often = 200
    save_every: Often = 200
    save_seconds: Annotated[float, Field(ge=0)] = 0.0
    keep: Count = 2
    step: Annotated[Named, Room("training/steps")] = Named(name="joint")


class WorkersSuite(Section):
    """The processes of a run: a `count`, or between `min` and `max` of them. gpus, threads: of each worker."""

    count: Count = 1
    min: Count | None = None
    max: Count | None = None
    gpus: Annotated[float, Field(ge=0)] = 0.0
    threads: Count = 1
    max_failures: Annotated[int, Field(ge=0)] = 3

    @model_validator(mode="before")
    @classmethod
    def _elastic(cls, value: Any) -> Any:
        """Elastic workers start with as many as there may be."""
        if isinstance(value, Mapping) and value.get("max") is not None and "count" not in value:
            return {"count": value["max"], **value}
        return value

    @property
    def most(self) -> int:
        """The largest number of workers there may be."""
        return self.max or self.count

    @property
    def least(self) -> int:
        """The smallest number of workers the run goes on with."""
        return self.min or self.count


class TrackingSuite(Section):
    """Where MLflow keeps runs. uri: absent, the environment's, else a file under `storage`. experiment: absent, the suite's name."""

    uri: str | None = None
    experiment: str | None = None
