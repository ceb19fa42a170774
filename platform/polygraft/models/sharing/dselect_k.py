"""DSelect-k, Hazimeh et al. 2021 (https://arxiv.org/abs/2106.03760), section 3: a smooth gate that ends with k experts a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.features import Features, Offer
from polygraft.models.base import Alias, Sharing, Trunk
from polygraft.models.experts import Experts
from polygraft.models.gate import readable
from polygraft.models.mixing import pooled

W_START = 0.05  # the authors' code: uniform up to this


class DSelectK(Sharing):
    """Trunks as experts; each task mixes at most k: q(a, Z) = sum_{i <= k} softmax(a)_i r(z_i), r a smooth one-hot of m = log2 n bits.

    r(z)_j = product over bits b of S(z_b) where j has the bit, 1 - S(z_b) where it has not; the smooth step S(t) is exactly 0 below
    -gamma/2, exactly 1 above gamma/2, and 1/2 + 3 t/(2 gamma) - 2 t^3/gamma^3 between. Once all bits have left that range the choice stays.
    The authors' optional entropy term, which hastens that, and their penalty for numbers of experts that are no power of 2 are left out.

    Shared: the experts. Own: the gates. The cut: what the experts give, and what the gates read where they read.

    experts: how many, a power of 2.
    selected: k, the most that a task ends with.
    gamma: width of the smooth step's slope; narrower is sooner decided.
    gating: `static` learns one choice a task, `per_example` one for each row, by what the experts read.
    from_stage: the first stage that each expert has its own copy of; those before it run once, for all. 0 makes each a whole trunk.
    """

    cost = "experts x a trunk, or x its stages from from_stage on"

    def __init__(
        self,
        make_trunk: Callable[[], Trunk],
        tasks: tuple[str, ...],
        offer: Offer,
        /,
        experts: Annotated[int, Range(min=2)] = 4,
        selected: Annotated[int, Range(min=1)] = 2,
        gamma: Annotated[float, Range(above=0)] = 1.0,
        gating: Literal["static", "per_example"] = "static",
        from_stage: Annotated[int, Range(min=0)] = 0,
    ) -> None:
        super().__init__()
        bits = experts.bit_length() - 1
        if experts != 2**bits:
            raise fault(
                f"experts: {experts} is no power of 2, and m bits choose among 2^m. Take {2**bits} or {2 ** (bits + 1)}."
            )
        if selected > experts:
            raise fault(f"selected: {selected} of {experts} experts. Take at most {experts}.")
        self.experts = Experts(make_trunk, tasks, offer, shared=experts, from_stage=from_stage)
        reads = readable(self.experts.reads) if gating == "per_example" else None
        self.gates = nn.ModuleDict({task: _Selector(reads, bits, selected, gamma) for task in tasks})
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


class _Selector(nn.Module):
    """One task's q. reads: what it chooses by, None for one choice for all rows."""

    def __init__(self, reads: Offer | None, bits: int, selected: int, gamma: float) -> None:
        super().__init__()
        self.reads, self.gamma, self.shape = reads, gamma, (selected, bits)
        numbers = torch.arange(2**bits)
        has = (numbers[:, None] >> torch.arange(bits - 1, -1, -1)) & 1  # the highest bit first
        self.register_buffer("has", has.bool(), persistent=False)  # [experts, bits]
        width = reads.width if reads is not None else 0
        self.z = nn.Linear(width + 1, selected * bits, bias=False)
        self.w = nn.Linear(width + 1, selected, bias=False) if selected > 1 else None  # one has nothing to weigh
        nn.init.uniform_(self.z.weight, -gamma / 100, gamma / 100)
        if self.w is not None:
            nn.init.uniform_(self.w.weight, -W_START, W_START)

    def forward(self, features: Features) -> Tensor:
        """[experts, rows or 1, 1]."""
        x = self.z.weight.new_ones(1, 1)
        if self.reads is not None:
            rows = pooled(features, self.reads)
            x = torch.cat([rows, rows.new_ones(len(rows), 1)], 1)
        step = _smooth_step(self.z(x).view(-1, *self.shape), self.gamma).unsqueeze(2)  # [rows, k, 1, bits]
        one_hot = torch.where(self.get_buffer("has"), step, 1 - step).prod(3)  # [rows, k, experts]
        if self.w is not None:
            one_hot = self.w(x).softmax(1).unsqueeze(2) * one_hot
        return one_hot.sum(1).T.unsqueeze(2)


def _smooth_step(t: Tensor, gamma: float) -> Tensor:
    within = t.clamp(-gamma / 2, gamma / 2)
    return 0.5 + 1.5 * within / gamma - 2 * (within / gamma) ** 3
