"""Progressive layered extraction, Tang et al. 2020 (https://doi.org/10.1145/3383313.3412236), section 4.2."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Annotated, cast

from torch import nn

from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.features import Features, Offer
from polygraft.models.base import Alias, Sharing, Trunk
from polygraft.models.copies import parted, words
from polygraft.models.cut import aliased
from polygraft.models.gate import Gate
from polygraft.models.mixing import mixed


class PLE(Sharing):
    """CGC level upon level: each expert is a trunk cut into levels of whole stages, and between levels gates mix.

    With g the outputs of the level below: g_k = softmax(W_k g_k) [task k's experts of g_k, the shared ones of g_s], and the shared
    experts' next input is g_s = softmax(W_s g_s) [everybody's experts]. Through g_s every task reaches every expert but those of the
    last level, so those below are shared, whomever they serve.

    Shared: all experts below the last level with what mixes them, and the last level's shared ones. Own: a task's experts of the last level,
    and its gates of the last two, which serve them alone. The cut: what everybody's experts of the last level but one give, what its gates
    read, and what the last level's shared experts give.

    levels: into how many the trunk's stages are divided, as evenly as can be, the lower ones having fewer.
    shared: experts of all tasks at each level.
    own: experts of each task at each level.
    """

    cost = "(shared + own x tasks) x a trunk"

    def __init__(
        self,
        make_trunk: Callable[[], Trunk],
        tasks: tuple[str, ...],
        offer: Offer,
        /,
        levels: Annotated[int, Range(min=2)] = 2,
        shared: Annotated[int, Range(min=1)] = 2,
        own: Annotated[int, Range(min=1)] = 1,
    ) -> None:
        super().__init__()
        self.tasks = tasks
        self.shared = nn.ModuleList(parted(make_trunk()) for _ in range(shared))
        self.own = nn.ModuleDict({task: nn.ModuleList(parted(make_trunk()) for _ in range(own)) for task in tasks})
        trunk = cast(Trunk, self.shared[0])
        stages = len(trunk.stages)
        if levels > stages:
            mend = f"Take levels: {stages}" if stages > 1 else "Take sharing: cgc, which has one level"
            raise fault(f"levels: {levels} of at least one stage each, but {words(trunk)}. {mend}, or give it more.")
        self.edges = [level * stages // levels for level in range(levels + 1)]
        before = [offer, *(trunk.offers[edge - 1] for edge in self.edges[1:-1])]
        self.gates = nn.ModuleDict({task: nn.ModuleList(Gate(each, own + shared) for each in before) for task in tasks})
        self.mixers = nn.ModuleList(Gate(each, own * len(tasks) + shared) for each in before[:-1])
        self.offer = trunk.offer

    def forward(self, features: Features, tasks: Sequence[str], alias: Alias | None = None) -> dict[str, Features]:
        """Each task's mixture at the last level."""
        last = len(self.edges) - 2
        inputs, for_shared = dict.fromkeys(self.tasks, features), features
        for level in range(last):
            read = inputs
            own = {task: self._experts(self.own[task], inputs[task], level) for task in self.tasks}
            shared = self._experts(self.shared, for_shared, level)
            everybody = [*chain.from_iterable(own.values()), *shared]
            for_shared = mixed(everybody, self.mixers[level](for_shared))
            if level + 1 < last:  # the others are the tasks' own, behind the cut
                inputs = {task: self._gated(task, level, read[task], own[task], shared) for task in self.tasks}
        return self._behind(read, everybody, self._experts(self.shared, for_shared, last), tasks, alias)

    def _behind(
        self,
        read: dict[str, Features],
        everybody: list[Features],
        final: list[Features],
        tasks: Sequence[str],
        alias: Alias | None,
    ) -> dict[str, Features]:
        """The tasks' own part. read: the gates' inputs at the last level but one; everybody: all experts of that level."""
        last, own = len(self.edges) - 2, len(everybody) - len(self.shared)
        inputs = [read[self.tasks[0]]] if last == 1 else list(read.values())  # the first level's are one and the same
        found = {}
        for task in tasks:
            seen = aliased(alias, task, *inputs, *everybody, *final)
            number, experts = self.tasks.index(task), seen[len(inputs) : len(inputs) + len(everybody)]
            each = own // len(self.tasks)
            mine, shared = list(experts[number * each : (number + 1) * each]), list(experts[own:])
            x = self._gated(task, last - 1, seen[0 if last == 1 else number], mine, shared)
            found[task] = self._gated(task, last, x, self._experts(self.own[task], x, last), list(seen[-len(final) :]))
        return found

    def _experts(self, experts: nn.Module, features: Features, level: int) -> list[Features]:
        first, last = self.edges[level : level + 2]
        return [trunk(features, first, last) for trunk in cast(nn.ModuleList, experts)]

    def _gated(self, task: str, level: int, x: Features, own: list[Features], shared: list[Features]) -> Features:
        return mixed([*own, *shared], cast(nn.ModuleList, self.gates[task])[level](x))

    def shared_parameters(self) -> Iterable[nn.Parameter]:
        """Everything's below the last level, but for the gates whose mixtures only one task reads; and the last level's shared experts'."""
        mine = {each for task in self.tasks for each in self.own_parameters(task)}
        return (each for each in self.parameters() if each not in mine)

    def own_parameters(self, task: str) -> Iterable[nn.Parameter]:
        """Its experts' of the last level, its gates' of the last two."""
        stages = [
            stage
            for trunk in cast(nn.ModuleList, self.own[task])
            for stage in cast(Trunk, trunk).stages[self.edges[-2] :]
        ]
        gates = cast(nn.ModuleList, self.gates[task])[-2:]
        return chain.from_iterable(module.parameters() for module in (*stages, *gates))

    def last_layer(self) -> nn.Module | None:
        """None: the cut has more than one layer's output."""
        return None
