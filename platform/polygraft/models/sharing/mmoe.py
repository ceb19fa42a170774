"""Multi-gate mixture-of-experts, Ma et al. 2018 (https://doi.org/10.1145/3219819.3220007), section 4.2."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

from torch import nn

from polygraft.core.catalogue import Range
from polygraft.core.features import Features, Offer
from polygraft.models.base import Alias, Sharing, Trunk
from polygraft.models.experts import Experts
from polygraft.models.gate import Gate


class MMoE(Sharing):
    """Several trunks as experts; task k mixes them by a gate of its own: f_k(x) = sum_i softmax(W_k x)_i f_i(x).

    Shared: the experts. Own: the gates. The cut: what the experts give, and what the gates read, for stems learn through gates too.

    experts: how many.
    from_stage: the first stage that each expert has its own copy of; those before it run once, for all. 0 makes each a whole trunk.
    """

    cost = "experts x a trunk, or x its stages from from_stage on"

    def __init__(
        self,
        make_trunk: Callable[[], Trunk],
        tasks: tuple[str, ...],
        offer: Offer,
        /,
        experts: Annotated[int, Range(min=1)] = 4,
        from_stage: Annotated[int, Range(min=0)] = 0,
    ) -> None:
        super().__init__()
        self.experts = Experts(make_trunk, tasks, offer, shared=experts, from_stage=from_stage)
        self.gates = nn.ModuleDict({task: Gate(self.experts.reads, experts) for task in tasks})
        self.offer = self.experts.offer

    def forward(self, features: Features, tasks: Sequence[str], alias: Alias | None = None) -> dict[str, Features]:
        """Each task's mixture."""
        return self.experts(features, tasks, alias, gates=self.gates)

    def shared_parameters(self) -> Iterable[nn.Parameter]:
        """The stages below and the experts'."""
        return self.experts.shared_parameters()

    def own_parameters(self, task: str) -> Iterable[nn.Parameter]:
        """Its gate's."""
        return self.gates[task].parameters()

    def last_layer(self) -> nn.Module | None:
        """None: several layers, one an expert, come before the cut."""
        return None
