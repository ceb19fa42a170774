"""What a network is made of: a Stem for each table, a Trunk inside a Sharing, a Head for each task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import ClassVar

from torch import Tensor, nn

from polygraft.core.features import Features, Offer

Alias = Callable[[str, tuple[Tensor, ...]], tuple[Tensor, ...]]
"""(task, tensors at the cut) -> what that task's own part reads in their place."""


class Stem(nn.Module, ABC):
    """Turns a table's encoded inputs into a trunk's first features. Asks for `inputs: Inputs`.

    offer: what it gives to the trunk. reads: the kinds of inputs that it reads, where it does not read all; assembly refuses a
        table with another.
    """

    offer: Offer
    reads: ClassVar[tuple[str, ...] | None] = None

    @abstractmethod
    def forward(self, inputs: Mapping[str, Tensor]) -> Features:
        """The first features of a batch's `inputs`, row for row."""


class Trunk(nn.Module, ABC):
    """A backbone: stages run in order. Asks for `offer: Offer`, or for `width: int` where a vector's width is all it needs.

    stages: each maps Features to Features. The ONE list that layer-wise decay, unfreezing, taps, the frozen prefix and sharing
        stage by stage count on; nothing that learns stands outside it.
    offers: what each stage gives, one a stage. Features of several kinds have one width, and what is padding in a sequence is 0.
    wants: the kind of features it reads.
    """

    stages: nn.ModuleList
    offers: tuple[Offer, ...]
    wants: ClassVar[str] = "vector"

    def forward(self, features: Features, first: int = 0, last: int | None = None) -> Features:
        """The features after stages first, ..., last - 1; `features` are what stage `first` reads. Absent: all stages."""
        for stage in islice(self.stages, first, last):  # a slice of a ModuleList is a new module, made at each pass
            features = stage(features)
        return features

    @property
    def offer(self) -> Offer:
        """What the last stage gives."""
        return self.offers[-1]

    @abstractmethod
    def last_layer(self) -> nn.Module | None:
        """The linear layer or convolution of the last stage, every row passing through it once; None where there is none."""


class Sharing(nn.Module, ABC):
    """How tasks share a backbone: it owns the trunk, or several copies. Asks for `make_trunk`, `tasks: tuple[str, ...]` and
    `offer: Offer`, what the stems give, of these what it needs.

    Its parameters are each shared or one task's own, and a task's loss reaches no other's own. No row looks at another.

    offer: what each task's head is given.
    cuts: whether there are tensors that separate the shared part from the tasks' own. Without them the gradients of tasks can be
        compared by the shared parameters alone.
    cost: what it costs beside one trunk, in words, shown by `polygraft list`.
    """

    offer: Offer
    cuts: ClassVar[bool] = True
    cost: ClassVar[str] = "one trunk"

    @abstractmethod
    def forward(self, features: Features, tasks: Sequence[str], alias: Alias | None = None) -> dict[str, Features]:
        """Each task's features, of a stem's `features`; the shared part runs once.

        alias: called once a task with the tensors at the cut, the same ones each time; the task's own part must read what it gives
            back. They are ALL that it reads of the shared part, so that no gradient leaks around the cut.
        """

    def advance(self, done: float) -> None:
        """Before each training step: the share of the run that is done, 0 <= done < 1, a function of the step alone."""

    @abstractmethod
    def shared_parameters(self) -> Iterable[nn.Parameter]:
        """What every task's gradient reaches through the shared part."""

    @abstractmethod
    def own_parameters(self, task: str) -> Iterable[nn.Parameter]:
        """What is behind the cut and `task`'s alone: gates, attention, its copy of a trunk."""

    @abstractmethod
    def last_layer(self) -> nn.Module | None:
        """The last shared linear layer or convolution, where the cut comes straight after it; None where there is none."""


class Head(nn.Module, ABC):
    """Turns a task's features into its outputs. Asks for `offer: Offer` and `size: int`.

    wants: the kind of features it reads; assembly refuses another. size: the last axis of its outputs.
    """

    wants: ClassVar[str] = "vector"
    size: int

    @abstractmethod
    def forward(self, features: Features, given: Tensor | None = None) -> Tensor:
        """Raw outputs [rows, size], or [rows, length, size]. given: what a decoder may see of its target."""
