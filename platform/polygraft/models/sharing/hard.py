"""Hard parameter sharing, Caruana 1997, "Multitask Learning" (https://doi.org/10.1023/A:1007379606734), section 2."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from torch import nn

from polygraft.core.features import Features
from polygraft.models.base import Alias, Sharing, Trunk


class Hard(Sharing):
    """One trunk, and every task reads what it gives."""

    def __init__(self, make_trunk: Callable[[], Trunk], /) -> None:
        super().__init__()
        self.trunk = make_trunk()
        self.offer = self.trunk.offer

    def forward(self, features: Features, tasks: Sequence[str], alias: Alias | None = None) -> dict[str, Features]:
        """The trunk's features, the same for each task."""
        found = self.trunk(features)
        if alias is None:
            return dict.fromkeys(tasks, found)
        return {task: found.with_tensors(alias(task, found.tensors)) for task in tasks}

    def shared_parameters(self) -> Iterable[nn.Parameter]:
        """The whole trunk's."""
        return self.trunk.parameters()

    def own_parameters(self, task: str) -> Iterable[nn.Parameter]:
        """None."""
        return ()

    def last_layer(self) -> nn.Module | None:
        """The trunk's."""
        return self.trunk.last_layer()
