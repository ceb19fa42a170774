"""Copies of a trunk's stages, for ways of sharing that have several; a copy holds no stage that it does not run."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from polygraft.core.errors import fault
from polygraft.models.base import Trunk

MakeTrunk = Callable[[], Trunk]


def forked(make_trunk: MakeTrunk, from_stage: int) -> tuple[Trunk | None, MakeTrunk]:
    """The stages before `from_stage`, None where there are none; and what makes an expert of the others.

    Stages keep their numbers: run the first with `last=from_stage`, an expert with `first=from_stage`.
    Raises UserError where no stage is left to an expert, or the trunk cannot be parted.
    """
    if not from_stage:
        return None, make_trunk
    below = parted(make_trunk())
    if from_stage >= (count := len(below.stages)):
        most = f"Take at most {count - 1}" if count > 1 else "Leave from_stage out"
        raise fault(
            f"from_stage: {from_stage} leaves experts no stage; {words(below)}. {most}, or give the trunk more."
        )

    def make_expert() -> Trunk:
        return _without(make_trunk(), range(from_stage))

    return _without(below, range(from_stage, count)), make_expert


def parted(trunk: Trunk) -> Trunk:
    """`trunk`, all of whose parameters are of exactly one stage. Raises UserError where they are not: no part would own them."""
    stages = [set(stage.parameters()) for stage in trunk.stages]
    name = type(trunk).__name__
    if set(trunk.parameters()) - set().union(*stages):
        raise fault(
            f"the trunk {name} learns outside of its stages, so it cannot be parted. Take sharing: hard or mmoe."
        )
    if sum(map(len, stages)) > len(set().union(*stages)):
        raise fault(f"stages of the trunk {name} share weights, so it cannot be parted. Take sharing: hard or mmoe.")
    return trunk


def words(trunk: Trunk) -> str:
    """`the trunk has 2 stages`."""
    count = len(trunk.stages)
    return f"the trunk has {count} stage{'s' * (count != 1)}"


def _without(trunk: Trunk, emptied: range) -> Trunk:
    for number in emptied:
        trunk.stages[number] = nn.Identity()
    return trunk
