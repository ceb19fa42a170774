"""Cross-stitch networks, Misra et al. 2016 (https://arxiv.org/abs/1604.03539), equation 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Literal, cast

import torch
from torch import Tensor, nn

from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.features import Features
from polygraft.models.base import Alias, Sharing, Trunk
from polygraft.models.cut import aliased
from polygraft.models.mixing import mixed


class CrossStitch(Sharing):
    """A trunk a task; after each stage, what task k goes on with is a learned mixture of everybody's: x'_k = sum_j alpha_kj x_j.

    Through the mixtures every task trains every trunk. Shared: the trunks and all units but those after the last stage. Own: a task's
    line of the last unit. The cut: what the trunks' last stages give.
    The paper stitches chosen layers of two networks and speeds up the units' learning by 10^2 to 10^3; here every stage of any number of
    networks is stitched, at the optimiser's one rate: Adam's steps do not shrink with the gradient.

    own: a task's share of its own features at the start (the paper's .9); the others have the rest, evenly.
    unit: one alpha for each pair of tasks and `channel`, as in the paper, or one for the whole `stage`.
    """

    cost = "tasks x a trunk"

    def __init__(
        self,
        make_trunk: Callable[[], Trunk],
        tasks: tuple[str, ...],
        /,
        own: Annotated[float, Range(min=0, max=1)] = 0.9,
        unit: Literal["channel", "stage"] = "channel",
    ) -> None:
        super().__init__()
        self.tasks = tasks
        self.trunks = nn.ModuleList(make_trunk() for _ in tasks)
        self.offers = cast(Trunk, self.trunks[0]).offers
        self.by_channel = unit == "channel"
        widths = [offer.width if self.by_channel else 1 for offer in self.offers]
        start = torch.full((len(tasks), len(tasks)), (1 - own) / max(len(tasks) - 1, 1)).fill_diagonal_(own)
        if len(tasks) == 1:
            start.fill_(1.0)
        self.units = nn.ParameterList(
            start[:, :, None].repeat(1, 1, width) for width in widths[:-1]
        )  # [k, j, channels]
        self.last = nn.ModuleDict({task: _Line(line, widths[-1]) for task, line in zip(tasks, start, strict=True)})
        self.offer = self.offers[-1]

    def forward(self, features: Features, tasks: Sequence[str], alias: Alias | None = None) -> dict[str, Features]:
        """Each task's mixture after the last stage."""
        inputs = [features] * len(self.tasks)
        for stage, unit in enumerate(self.units):
            given = self._stage(inputs, stage)
            inputs = [mixed(given, line[:, None]) for line in unit]
        given = self._stage(inputs, len(self.units))
        return {task: mixed(aliased(alias, task, *given), self.last[task].alpha[:, None]) for task in tasks}  # type: ignore[index]

    def _stage(self, inputs: Sequence[Features], stage: int) -> list[Features]:
        given = [trunk(each, stage, stage + 1) for trunk, each in zip(self.trunks, inputs, strict=True)]
        wanted = self.offers[stage].width
        found = {part.shape[1 if part.ndim == 4 else -1] for part in given[0].tensors}
        if self.by_channel and found - {wanted}:
            raise fault(
                f"unit: channel has an alpha for each of {wanted} channels, but stage {stage} gives {sorted(found)}. Take unit: stage.",
                "sharing",
            )
        return given

    def shared_parameters(self) -> Iterable[nn.Parameter]:
        """The trunks' and the units' between stages."""
        return (*self.trunks.parameters(), *self.units.parameters())

    def own_parameters(self, task: str) -> Iterable[nn.Parameter]:
        """Its line of the last unit."""
        return self.last[task].parameters()

    def last_layer(self) -> nn.Module | None:
        """None: several layers, one a trunk, come before the cut."""
        return None


class _Line(nn.Module):
    """One task's alphas [tasks, channels]."""

    def __init__(self, start: Tensor, width: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(start[:, None].repeat(1, width))
