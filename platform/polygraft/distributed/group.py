"""The worker group: N plain Ray actors that run one function together, and end together when one of them dies."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from polygraft.core.logs import log
from polygraft.distributed.policy import Crashed, Died, Outcome, settled, verdict
from polygraft.distributed.worker import Meeting, Ready, Task, Worker

POLL_S = 0.2
GRACE_S = 2.0  # after a crash: how long a death that explains it may take to be seen
ROOM_CHECK_S = 5.0


@dataclass(frozen=True)
class Share:
    """What one worker takes of its node."""

    threads: int
    gpus: float = 0.0

    def bundle(self) -> dict[str, float]:
        """As Ray's placement group wants it."""
        return {"CPU": float(self.threads)} | ({"GPU": self.gpus} if self.gpus else {})

    def fits(self, resources: dict[str, float]) -> int:
        """How many such workers a node with these resources holds."""
        return min(math.floor(resources.get(name, 0.0) / amount + 1e-9) for name, amount in self.bundle().items())

    def __str__(self) -> str:
        cpus = f"{self.threads} CPU{'s' if self.threads > 1 else ''}"
        return f"{cpus} and {self.gpus:g} GPU{'s' if self.gpus > 1 else ''}" if self.gpus else cpus


def room(share: Share) -> int:
    """How many workers the cluster's living nodes hold, whoever uses them now."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return sum(share.fits(node["Resources"]) for node in nodes if node["Alive"])


class WorkerGroup:
    """`count` actors in a placement group; a context manager that leaves neither actor nor placement group behind.

    between: called a few times a second while the driver waits.
    """

    def __init__(self, count: int, share: Share, between: Callable[[], None] = lambda: None) -> None:
        self._count, self._share, self._between = count, share, between
        self._placement: PlacementGroup | None = None
        self._actors: list[Any] = []
        self._ready: list[Any] = []
        self._meeting: Meeting | None = None
        self.members: list[Ready] = []

    def begin(self, function: str, folder: Path) -> None:
        """Ask for the actors, and let them import what `function` needs; returns at once. folder: all of them must see it."""
        self._placement = placement_group([self._share.bundle()] * self._count, strategy="PACK")
        actor = ray.remote(Worker)
        settings = {"threads": self._share.threads, "gpu": self._share.gpus > 0, "logs": folder / "logs"}
        for rank in range(self._count):
            options = {
                "num_cpus": self._share.threads,
                "num_gpus": self._share.gpus,
                "scheduling_strategy": PlacementGroupSchedulingStrategy(self._placement, rank),
            }
            self._actors.append(actor.options(**options).remote(rank, **settings))
        self._ready = [each.ready.remote(function, folder) for each in self._actors]

    def meet(self) -> Outcome | None:
        """Wait until all are there and know of each other; what became of the group when they are not."""
        outcomes, self.members = self._wait_ready()
        if outcomes:
            return verdict(outcomes)
        addresses = _addresses(self.members)
        port = _value(self._actors[0].host_meeting.remote(addresses[0], self._count))
        if not isinstance(port, int):
            return verdict({0: port})
        self._meeting = Meeting(addresses, port)
        return None

    def work(self, task: Task) -> Outcome:
        """Run the task on every rank; what became of the group. Rank 0's value is the group's."""
        assert self._meeting is not None, "the group has not met"
        return verdict(self._wait_all([each.work.remote(self._meeting, task) for each in self._actors]))

    def end(self) -> None:
        """Kill what is left: survivors hang in a collective with the dead."""
        for each in self._actors:
            ray.kill(each, no_restart=True)
        if self._placement is not None:
            remove_placement_group(self._placement)
        self._actors, self._ready, self._placement = [], [], None

    def __enter__(self) -> WorkerGroup:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _wait_ready(self) -> tuple[dict[int, Outcome], list[Ready]]:
        """The members in the order of ranks; or the outcomes of those that did not come up."""
        since = checked = time.monotonic()
        pending = list(self._ready)
        while pending:
            _, pending = ray.wait(pending, num_returns=len(pending), timeout=POLL_S)
            self._between()
            now = time.monotonic()
            if pending and now - checked > ROOM_CHECK_S:
                checked = now
                there = room(self._share)
                if there < self._count:
                    return {0: Died(f"there is room for {there} of {self._count} workers")}, []
                if not self._placed():
                    log().info("waiting for room: %d workers x %s (%.0f s)", self._count, self._share, now - since)
        answers = [_value(each) for each in self._ready]
        wrong = {rank: each for rank, each in enumerate(answers) if not isinstance(each, Ready)}
        return wrong, [] if wrong else answers

    def _placed(self) -> bool:
        return self._placement is not None and placement_group_table(self._placement).get("state") == "CREATED"

    def _wait_all(self, works: Sequence[Any]) -> dict[int, Outcome]:
        pending = {ref: rank for rank, ref in enumerate(works)}
        outcomes: dict[int, Outcome] = {}
        deadline = math.inf
        while not settled(outcomes, self._count) and time.monotonic() < deadline:
            done, _ = ray.wait(list(pending), timeout=POLL_S)
            self._between()
            outcomes |= {pending.pop(ref): _value(ref) for ref in done}
            if deadline == math.inf and any(isinstance(each, Crashed) for each in outcomes.values()):
                deadline = time.monotonic() + GRACE_S
        return outcomes


def _value(ref: Any) -> Any:
    """What an actor's method returned, or how the actor ended."""
    try:
        return ray.get(ref)
    except RayError as error:
        return _ended(error)


def _ended(error: RayError) -> Outcome:
    if isinstance(error, RayTaskError):
        return Crashed(str(error.cause), str(error))
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return Died(reason)


def _addresses(members: Sequence[Ready]) -> tuple[str, ...]:
    """Where each rank listens: on the loopback when all have one address, which no firewall or odd host name disturbs."""
    addresses = tuple(each.address for each in members)
    return ("127.0.0.1",) * len(members) if len(set(addresses)) == 1 else addresses
