"""Learning to branch, Guo et al. 2020 (https://arxiv.org/abs/2006.01895), section 3: a tree of stages, found by Gumbel-softmax."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, cast

import torch
from torch import Tensor, nn

from polygraft.core.catalogue import Range
from polygraft.core.features import Features
from polygraft.models.base import Alias, Sharing, Trunk
from polygraft.models.cut import aliased
from polygraft.models.mixing import mixed


class LTB(Sharing):
    """Several copies of each stage; every copy, and every task at the end, learns which copy of the stage before it stands on.

    In training the parent is drawn: d = softmax((theta + Gumbel noise) / temperature), input = sum_i d_i y_i; a colder d is nearer to one
    parent. Evaluation takes argmax theta, and runs only the copies that a task then stands on: a tree.

    Shared: the copies and their choices. Own: a task's choice. The cut: what the copies of the last stage give.
    Noise is drawn once a shard, from the chance that dropout has too: a function of seed, step and shard. The temperature falls
    geometrically from the first step to the last, a function of the step alone. The paper trains the tree that was found once more from
    the start; here it is what the training left.

    branches: copies of each stage; null is one for each task.
    start, end: the temperature at the first and at the last step.
    speed: how many times faster than weights the thetas learn.
    """

    cost = "branches x a trunk; predicting, at most that"

    def __init__(
        self,
        make_trunk: Callable[[], Trunk],
        tasks: tuple[str, ...],
        /,
        branches: Annotated[int | None, Range(min=1)] = None,
        start: Annotated[float, Range(above=0)] = 5.0,
        end: Annotated[float, Range(above=0)] = 0.1,
        speed: Annotated[float, Range(above=0)] = 100.0,
    ) -> None:
        super().__init__()
        count = branches or len(tasks)
        self.trunks = nn.ModuleList(make_trunk() for _ in range(count))
        first = cast(Trunk, self.trunks[0])
        self.start, self.end, self.speed, self.temperature = start, end, speed, start
        self.parents = nn.ModuleList(_Choice(count, count) for _ in first.stages[1:])
        self.ends = nn.ModuleDict({task: _Choice(1, count) for task in tasks})
        self.offer = first.offer

    def advance(self, done: float) -> None:
        """Cool down."""
        self.temperature = self.start * (self.end / self.start) ** done

    def forward(self, features: Features, tasks: Sequence[str], alias: Alias | None = None) -> dict[str, Features]:
        """What each task's branch gives: a mixture in training, one copy's after it."""
        parents = [self._chosen(each) for each in self.parents]
        ends = {task: self._chosen(self.ends[task])[0] for task in tasks}
        standing = self._standing(parents, list(ends.values()))
        given = [self._copy(0, number, features) for number in standing[0]]
        for stage, choices in enumerate(parents, 1):
            known = standing[stage - 1]
            given = [self._copy(stage, n, _mix(given, choices[n, known])) for n in standing[stage]]
        return {task: _mix(aliased(alias, task, *given), ends[task][standing[-1]]) for task in tasks}

    def _chosen(self, choice: nn.Module) -> Tensor:
        """[children, parents]: soft and drawn in training, one-hot after it."""
        theta = cast(Tensor, choice.theta) * self.speed
        if not self.training:
            return nn.functional.one_hot(theta.argmax(1), theta.shape[1]).to(theta.dtype)
        noise = torch.empty_like(theta).exponential_().clamp_min(torch.finfo(theta.dtype).tiny)
        return ((theta - noise.log()) / self.temperature).softmax(1)

    def _standing(self, parents: Sequence[Tensor], ends: Sequence[Tensor]) -> list[list[int]]:
        """For each stage, the copies that anything rests on: all in training."""
        above = [torch.stack(list(ends))]
        for choices in reversed(parents):
            above.append(choices[(above[-1] != 0).any(0)])
        if self.training:  # a drawn share may round to 0; its copy is trained all the same
            return [list(range(len(self.trunks)))] * len(above)
        return [(each != 0).any(0).nonzero().flatten().tolist() for each in reversed(above)]

    def _copy(self, stage: int, number: int, features: Features) -> Features:
        return self.trunks[number](features, stage, stage + 1)  # type: ignore[no-any-return]

    def shared_parameters(self) -> Iterable[nn.Parameter]:
        """The copies' and the choices' between stages."""
        return (*self.trunks.parameters(), *self.parents.parameters())

    def own_parameters(self, task: str) -> Iterable[nn.Parameter]:
        """Its choice among the last stage's copies."""
        return self.ends[task].parameters()

    def last_layer(self) -> nn.Module | None:
        """None: several layers, one a copy, come before the cut."""
        return None


class _Choice(nn.Module):
    """Log odds [children, parents], even at the start."""

    def __init__(self, children: int, parents: int) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(children, parents))


def _mix(given: Sequence[Features], shares: Tensor) -> Features:
    """shares: [parents]."""
    return mixed(given, shares[:, None, None])
