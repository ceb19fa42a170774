"""OwnParameters: which parameters the tasks share, as somebody said, and which are each task's own, as its losses' graphs show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor, nn

from polygraft.balancing.leaves import own_leaves, refuse_sharded
from polygraft.core.errors import fault


class OwnParameters:
    """shared: those that all tasks train. by_task: what else a task's loss has reached so far, in the order it was met."""

    def __init__(self, shared: Sequence[nn.Parameter]) -> None:
        if not shared:
            raise fault("shared= holds no parameter that is trained. Give the trunk's parameters.")
        refuse_sharded(shared)
        self.shared = shared
        self.by_task: dict[str, list[nn.Parameter]] = {}

    def __iter__(self) -> Iterator[nn.Parameter]:
        """All of them."""
        yield from self.shared
        for mine in self.by_task.values():
            yield from mine

    def learn(self, losses: Mapping[str, Tensor], stop: Sequence[Tensor], *, settled: bool) -> None:
        """Read the losses' graphs down to `stop`. settled: other ranks rely on what is known, so nothing may be new."""
        for task, parameters in own_leaves(losses, stop, self.shared).items():
            mine = self.by_task.setdefault(task, [])
            fresh = [each for each in parameters if all(each is not known for known in mine)]
            if fresh and settled:
                raise fault(
                    f"'{task}' reaches parameters that the first backward did not. Let that one use all of them."
                )
            mine += fresh

    def sizes(self, tasks: Sequence[str]) -> list[tuple[str, list[int]]]:
        """What ranks compare: for each task, how many numbers its own parameters hold."""
        return [(task, [each.numel() for each in self.by_task.get(task, ())]) for task in tasks]
