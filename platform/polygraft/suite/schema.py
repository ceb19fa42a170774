"""The schema of a suite: with `sections.py` and `running.py`, every key, its kind and its default, here alone."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, model_validator

from polygraft.suite.fields import Room, Short
from polygraft.suite.origin import Origin
from polygraft.suite.running import SGD as SGD
from polygraft.suite.running import AdamW as AdamW
from polygraft.suite.running import ScheduleSuite as ScheduleSuite
from polygraft.suite.running import TrackingSuite as TrackingSuite
from polygraft.suite.running import TrainSuite as TrainSuite
from polygraft.suite.running import WorkersSuite as WorkersSuite
from polygraft.suite.sections import BalancerSuite as BalancerSuite
from polygraft.suite.sections import Key, Section
from polygraft.suite.sections import Named as Named
from polygraft.suite.sections import SplitSuite as SplitSuite
from polygraft.suite.sections import TableSuite as TableSuite
from polygraft.suite.sections import TaskSuite as TaskSuite
from polygraft.suite.sections import TransferSuite as TransferSuite


class Suite(Section):
    """One suite, complete: what a run is made of. Equal when the resolved content is equal, wherever it was read."""

    suite: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
    seed: Annotated[int, Field(ge=0)] = 0
    data: dict[Key, TableSuite]
    backbone: Annotated[Named, Room("models/trunks")] = Named(name="mlp")
    sharing: Annotated[Named, Room("models/sharing")] = Named(name="hard")
    balancer: Annotated[BalancerSuite, Room("balancing")] = BalancerSuite()
    transfer: TransferSuite | None = None
    tasks: dict[Key, TaskSuite]
    train: TrainSuite = TrainSuite()
    workers: Annotated[WorkersSuite, Short("count", int)] = WorkersSuite()
    storage: str = "runs"
    tracking: TrackingSuite = TrackingSuite()
    search: dict[str, Any] = Field(default_factory=dict)

    _origin: Origin = PrivateAttr(default_factory=Origin)

    @model_validator(mode="before")
    @classmethod
    def _shards(cls, value: Any) -> Any:
        """Write `train.shards` in where it is absent: max(2, most workers)."""
        if not isinstance(value, Mapping):
            return value
        train, workers = value.get("train", {}), value.get("workers", 1)
        if not isinstance(train, Mapping) or "shards" in train:
            return value
        counts = [workers.get("count"), workers.get("max")] if isinstance(workers, Mapping) else [workers]
        most = max([2, *(each for each in counts if isinstance(each, int))])
        return {**value, "train": {**train, "shards": most}}

    @property
    def file(self) -> str:
        """The file it was read from, as the person named it; empty when it was made in Python."""
        return self._origin.file

    @property
    def folder(self) -> Path:
        """What its relative paths are relative to, and where its own `plugins/` stands."""
        return self._origin.folder

    def where(self, path: str) -> str:
        """`file:line` of a dotted path (`data.flights.columns.month`), or of the nearest key around it."""
        return self._origin.where(path)

    def located(self, path: str) -> str:
        """A path of the suite as seen from anywhere; URIs and absolute paths are left as they are."""
        return path if "://" in path else str(self.folder / path)

    def at(self, origin: Origin) -> Suite:
        """The same suite, read from `origin`."""
        moved = copy.copy(self)
        moved._origin = origin
        return moved

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Suite) and resolved(self) == resolved(other)

    def __hash__(self) -> int:
        return hash(self.suite)


def resolved(suite: Suite) -> dict[str, Any]:
    """All that a suite says, every default written in, as plain JSON values; loading it gives an equal suite."""
    return suite.model_dump(mode="json")
