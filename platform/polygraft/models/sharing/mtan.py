"""Multi-task attention network, Liu et al. 2019 (https://arxiv.org/abs/1803.10704), equations 1 and 2."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from polygraft.core.errors import fault
from polygraft.core.features import Features, Offer
from polygraft.models.base import Alias, Sharing, Trunk
from polygraft.models.cut import aliased
from polygraft.models.gate import readable
from polygraft.models.mixing import pooled


class MTAN(Sharing):
    """One trunk; at each stage task k keeps of its features p what an attention of its own lets through: a_k = h(g([p; f(a_k before)])) * p.

    Shared: the trunk. Own: the attention. The cut: what every stage gives, for a task reads all of them.
    g and h are linear by channel (1 x 1 convolutions), f too, on maps a 3 x 3 convolution, averaged to the next stage's size. The paper
    gives h an earlier layer of the stage beside the last; a stage of any trunk has but one output, so g reads p. Where the paper has batch
    norm, which would couple rows, there is layer norm. A vector that the last stage gives beside a sequence or maps would go around the
    attention; in its place a task has the mean of what it keeps.
    """

    cost = "one trunk, and tasks x five linear layers of its width a stage: as a rule more than the trunk"

    def __init__(self, make_trunk: Callable[[], Trunk], tasks: tuple[str, ...], /) -> None:
        super().__init__()
        self.trunk = make_trunk()
        self.offer = _kept(self.trunk.offer)
        offers = [readable(each) for each in self.trunk.offers]
        for stage, (before, then) in enumerate(pairwise(offers), 1):
            if then.kind not in (before.kind, "vector"):
                raise fault(
                    f"mtan carries a task's features from stage to stage, but stage {stage} goes from {before.kind} to {then.kind}. "
                    "Take sharing: hard or mmoe."
                )
        steps = [(None, offers[0]), *pairwise(offers)]
        self.attention = nn.ModuleDict(
            {task: nn.ModuleList(_Attention(before, offer) for before, offer in steps) for task in tasks}
        )

    def forward(self, features: Features, tasks: Sequence[str], alias: Alias | None = None) -> dict[str, Features]:
        """Each task's features of the last stage."""
        stages = []
        for stage in range(len(self.trunk.stages)):
            features = self.trunk(features, stage, stage + 1)
            stages.append(features)
        return {task: self._attend(task, aliased(alias, task, *stages)) for task in tasks}

    def _attend(self, task: str, stages: Sequence[Features]) -> Features:
        kept: Features | None = None
        for attention, given in zip(cast(nn.ModuleList, self.attention[task]), stages, strict=True):
            kept = attention(given, kept)
        assert kept is not None, "a trunk has a stage"
        return kept

    def shared_parameters(self) -> Iterable[nn.Parameter]:
        """The whole trunk's."""
        return self.trunk.parameters()

    def own_parameters(self, task: str) -> Iterable[nn.Parameter]:
        """Its attention's."""
        return self.attention[task].parameters()

    def last_layer(self) -> nn.Module | None:
        """None: the cut has every stage's output, and most of the layers come before others of it."""
        return None


class _Attention(nn.Module):
    """One task's at one stage. before: what the task kept is of this kind and width; None at the first stage."""

    def __init__(self, before: Offer | None, offer: Offer) -> None:
        super().__init__()
        self.before, self.offer, width = before, offer, offer.width
        self.carry: nn.Module | None = None
        if before is not None:
            maps = offer.kind == "maps"
            self.carry = nn.Conv2d(before.width, width, 3, padding=1) if maps else nn.Linear(before.width, width)
            self.carry_norm = nn.LayerNorm(width)
        self.mask = nn.Sequential(
            nn.Linear(width * (2 if before is not None else 1), width),
            nn.LayerNorm(width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.LayerNorm(width),
            nn.Sigmoid(),
        )

    def forward(self, given: Features, before: Features | None) -> Features:
        """What the task keeps of `given`. before: what it kept of the stage before."""
        p = _part(given, self.offer.kind)
        seen = p if before is None else torch.cat([p, self._carried(before, p)], -1)
        found = self.mask(seen) * p
        if self.offer.kind == "vector":
            return Features(vector=found)
        if self.offer.kind == "sequence":
            kept = Features(sequence=found, mask=given.mask)
        else:
            kept = Features(maps=(_channels_first(found),))
        return kept if given.vector is None else replace(kept, vector=pooled(kept, self.offer))

    def _carried(self, kept: Features, like: Tensor) -> Tensor:
        """f: [..., width], channels last, of `like`'s positions."""
        assert self.before is not None
        assert self.carry is not None
        if self.before.kind != self.offer.kind:
            found = self.carry(pooled(kept, self.before))
        elif self.offer.kind == "maps":
            found = adaptive_avg_pool2d(self.carry(kept.maps[0]), (like.shape[1], like.shape[2])).permute(0, 2, 3, 1)
        else:
            found = self.carry(_part(kept, self.offer.kind))
        if found.shape[:-1] != like.shape[:-1]:
            raise fault(
                f"mtan needs stages that keep a sequence's length, not {found.shape[1]} to {like.shape[1]}. "
                "Take sharing: hard or mmoe.",
                "sharing",
            )
        return self.carry_norm(found).relu()  # type: ignore[no-any-return]


def _kept(offer: Offer) -> Offer:
    """Of what a trunk offers, what goes through attention, and a vector of it."""
    main = Offer(offer.kind, offer.width)
    return main.summed_up() if offer.kind != "vector" and "vector" in offer.kinds else main


def _part(features: Features, kind: str) -> Tensor:
    """The part of this kind, channels last."""
    if kind == "maps":
        if len(features.maps) != 1:
            what = (
                f"mtan attends to maps of one level a stage, not of {len(features.maps)}. Take sharing: hard or mmoe."
            )
            raise fault(what, "sharing")
        return features.maps[0].permute(0, 2, 3, 1)
    part = features.vector if kind == "vector" else features.sequence
    assert part is not None, f"no {kind} where one was offered"
    return part


def _channels_first(channels_last: Tensor) -> Tensor:
    return channels_last.permute(0, 3, 1, 2)
