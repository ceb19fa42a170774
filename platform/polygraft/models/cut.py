"""Aliases: leaves that tasks read in place of the cut, and what the last shared layer saw on the way to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from polygraft.core.features import Cut, Features
from polygraft.models.base import Alias


class Aliases:
    """Collects one pass's cut. Called by a Sharing, once a task, with the tensors at the cut.

    layer: the last shared layer, whose input and output are kept too.
    """

    def __init__(self, layer: nn.Module | None) -> None:
        self.layer = layer
        self.features: tuple[Tensor, ...] = ()
        self.aliases: dict[str, tuple[Tensor, ...]] = {}
        self.layer_input: Tensor | None = None
        self.layer_output: Tensor | None = None

    def __call__(self, task: str, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Leaves of `task`'s own with the values of `tensors`; no copy is made."""
        same = not self.aliases or all(a is b for a, b in zip(self.features, tensors, strict=True))
        assert same, "every task must read the same cut"
        self.features = tensors
        self.aliases[task] = tuple(tensor.detach().requires_grad_() for tensor in tensors)
        return self.aliases[task]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep what the layer reads and gives. A hook, so that no trunk has to know of this; it lives as long as one pass."""
        if self.layer is None:
            yield
            return
        handle = self.layer.register_forward_hook(self._keep)
        try:
            yield
        finally:
            handle.remove()

    def cut(self) -> Cut:
        """The pass's cut, once every task has been called for."""
        return Cut(self.features, self.aliases, self.layer_input, self.layer_output)

    def _keep(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.layer_input, self.layer_output = inputs[0].detach(), output


def aliased(alias: Alias | None, task: str, *features: Features) -> tuple[Features, ...]:
    """What `task`'s own part reads in place of `features`, which are the cut, whole; themselves where no alias is asked for.

    A tensor that carries no gradient (numbers as they came from the table) leads to nothing shared: it is read as it is.
    """
    if alias is None:
        return features
    tensors = [tensor for each in features for tensor in each.tensors]
    cut = [i for i, tensor in enumerate(tensors) if tensor.requires_grad] or list(range(len(tensors)))
    for i, leaf in zip(cut, alias(task, tuple(tensors[i] for i in cut)), strict=True):
        tensors[i] = leaf
    rest = iter(tensors)
    return tuple(each.with_tensors([next(rest) for _ in each.tensors]) for each in features)
