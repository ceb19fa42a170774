"""Copies of a trunk side by side, for all tasks or for one alone, and what the tasks' gates mix of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import cast

from torch import nn

from polygraft.core.features import Features, Offer
from polygraft.models.base import Alias, Trunk
from polygraft.models.copies import forked
from polygraft.models.cut import aliased
from polygraft.models.mixing import mixed


class Experts(nn.Module):
    """Experts of all tasks, and of each task alone, over the stages that run once for all of them.

    The cut is what the shared experts give, and what own experts and gates read, for the stages below learn through these too.

    shared, own: how many for all tasks, and for each alone. from_stage: the first stage that each expert has its own copy of.
    reads: what experts and gates are given. offer: what an expert gives.
    Raises UserError where no stage is left to an expert, or the trunk cannot be parted.
    """

    def __init__(
        self,
        make_trunk: Callable[[], Trunk],
        tasks: tuple[str, ...],
        offer: Offer,
        /,
        *,
        shared: int,
        own: int = 0,
        from_stage: int = 0,
    ) -> None:
        super().__init__()
        self.from_stage = from_stage
        self.below, make_expert = forked(make_trunk, from_stage)
        self.shared = nn.ModuleList(make_expert() for _ in range(shared))
        self.own = nn.ModuleDict({task: nn.ModuleList(make_expert() for _ in range(own)) for task in tasks})
        self.reads = self.below.offers[from_stage - 1] if self.below is not None else offer
        self.offer = cast(Trunk, self.shared[0]).offer

    def forward(
        self, features: Features, tasks: Sequence[str], alias: Alias | None = None, *, gates: nn.ModuleDict
    ) -> dict[str, Features]:
        """Each task's mixture by its gate's weights [own + shared, rows or 1, 1], which are of its own experts first."""
        before = self.below(features, last=self.from_stage) if self.below is not None else features
        shared = self._of(self.shared, before)
        found = {}
        for task in tasks:
            x, *given = aliased(alias, task, before, *shared)
            found[task] = mixed([*self._of(self.own[task], x), *given], gates[task](x))
        return found

    def shared_parameters(self) -> Iterable[nn.Parameter]:
        """The stages below and the shared experts'."""
        return chain(self.below.parameters() if self.below is not None else (), self.shared.parameters())

    def own_parameters(self, task: str) -> Iterable[nn.Parameter]:
        """Its own experts'."""
        return self.own[task].parameters()

    def _of(self, experts: nn.Module, features: Features) -> list[Features]:
        return [expert(features, first=self.from_stage) for expert in cast(nn.ModuleList, experts)]
