"""Customized gate control, Tang et al. 2020 (https://doi.org/10.1145/3383313.3412236), section 4.1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Annotated, cast

from torch import nn

from polygraft.core.catalogue import Range
from polygraft.core.features import Features, Offer
from polygraft.models.base import Alias, Sharing, Trunk
from polygraft.models.copies import forked
from polygraft.models.cut import aliased
from polygraft.models.gate import Gate
from polygraft.models.mixing import mixed


class CGC(Sharing):
    """Trunks as experts, some of them a task's alone; task k mixes its own and the shared ones: g_k(x) = softmax(W_k x) S_k(x).

    Shared: the shared experts. Own: a task's experts and its gate. The cut: what the shared experts give, and what the own experts and
    the gates read.

    shared: experts of all tasks.
    own: experts of each task alone.
    from_stage: the first stage that each expert has its own copy of; those before it run once, for all. 0 makes each a whole trunk.
    """

    cost = "(shared + own x tasks) x a trunk, or x its stages from from_stage on"

    def __init__(
        self,
        make_trunk: Callable[[], Trunk],
        tasks: tuple[str, ...],
        offer: Offer,
        /,
        shared: Annotated[int, Range(min=1)] = 2,
        own: Annotated[int, Range(min=1)] = 1,
        from_stage: Annotated[int, Range(min=0)] = 0,
    ) -> None:
        super().__init__()
        self.from_stage = from_stage
        self.below, make_expert = forked(make_trunk, from_stage)
        self.shared = nn.ModuleList(make_expert() for _ in range(shared))
        self.own = nn.ModuleDict({task: nn.ModuleList(make_expert() for _ in range(own)) for task in tasks})
        before = self.below.offers[from_stage - 1] if self.below is not None else offer
        self.gates = nn.ModuleDict({task: Gate(before, own + shared) for task in tasks})
        self.offer = cast(Trunk, self.shared[0]).offer

    def forward(self, features: Features, tasks: Sequence[str], alias: Alias | None = None) -> dict[str, Features]:
        """Each task's mixture, its own experts first."""
        before = self.below(features, last=self.from_stage) if self.below is not None else features
        shared = [expert(before, first=self.from_stage) for expert in self.shared]
        found = {}
        for task in tasks:
            x, *given = aliased(alias, task, before, *shared)
            own = [expert(x, first=self.from_stage) for expert in cast(nn.ModuleList, self.own[task])]
            found[task] = mixed([*own, *given], self.gates[task](x))
        return found

    def shared_parameters(self) -> Iterable[nn.Parameter]:
        """The stages below and the shared experts'."""
        return chain(self.below.parameters() if self.below is not None else (), self.shared.parameters())

    def own_parameters(self, task: str) -> Iterable[nn.Parameter]:
        """Its experts' and its gate's."""
        return chain(self.own[task].parameters(), self.gates[task].parameters())

    def last_layer(self) -> nn.Module | None:
        """None: the cut has more than one layer's output."""
        return None
