"""Customized gate control, Tang et al. 2020 (https://doi.org/10.1145/3383313.3412236), section 4.1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Annotated

from torch import nn

from polygraft.core.catalogue import Range
from polygraft.core.features import Features, Offer
from polygraft.models.base import Alias, Sharing, Trunk
from polygraft.models.experts import Experts
from polygraft.models.gate import Gate


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
        self.experts = Experts(make_trunk, tasks, offer, shared=shared, own=own, from_stage=from_stage)
        self.gates = nn.ModuleDict({task: Gate(self.experts.reads, own + shared) for task in tasks})
        self.offer = self.experts.offer

    def forward(self, features: Features, tasks: Sequence[str], alias: Alias | None = None) -> dict[str, Features]:
        """Each task's mixture, its own experts first."""
        return self.experts(features, tasks, alias, gates=self.gates)

    def shared_parameters(self) -> Iterable[nn.Parameter]:
        """The stages below and the shared experts'."""
        return self.experts.shared_parameters()

    def own_parameters(self, task: str) -> Iterable[nn.Parameter]:
        """Its experts' and its gate's."""
        return chain(self.experts.own_parameters(task), self.gates[task].parameters())

    def last_layer(self) -> nn.Module | None:
        """None: the cut has more than one layer's output."""
        return None
