"""Wire: what a keeper of parameters and those who learn on copies of them send each other, over torch.distributed, one to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist

from polygraft.training.learner import Learner

KEEPER = 0
"""The rank that keeps the parameters; all others learn."""


@dataclass(frozen=True)
class Arrived:
    """A gradient that lies in `.grad`. source: whose. version: of the parameters that it was taken at. told: what came beside it."""

    source: int
    version: int
    told: tuple[float, ...]


class Wire:
    """One end of it. A copy gets every floating-point parameter and buffer, so that second networks follow, too.

    told: numbers that come beside each gradient.
    """

    def __init__(self, learner: Learner, told: int) -> None:
        self._state = [each for each in learner.state_dict().values() if each.is_floating_point()]
        self._learns = [each for each in learner.parameters() if each.requires_grad]
        self._words = torch.empty(1 + len(self._learns) + told, dtype=torch.float64)
        self._flat = torch.empty(sum(each.numel() for each in self._learns))

    def lend(self, to: int, version: int, *, stop: bool = False) -> None:
        """Send the parameters as they are; or that no more is wanted."""
        dist.send(torch.tensor([version, stop], dtype=torch.int64), to)
        if not stop:
            dist.send(torch.cat([each.detach().flatten().float().cpu() for each in self._state]), to)

    def borrow(self) -> int | None:
        """Take the parameters over; their version, or None when no more is wanted."""
        words = torch.empty(2, dtype=torch.int64)
        dist.recv(words, KEEPER)
        version, stop = words.tolist()
        if stop:
            return None
        flat = torch.empty(sum(each.numel() for each in self._state))
        dist.recv(flat, KEEPER)
        with torch.no_grad():
            for each, part in zip(self._state, flat.split([each.numel() for each in self._state]), strict=True):
                each.copy_(part.view_as(each))
        return int(version)

    def give(self, version: int, told: Sequence[float]) -> None:
        """Send the gradient that lies in `.grad`; a parameter without one has none on the other side, either."""
        there = [float(each.grad is not None) for each in self._learns]
        dist.send(torch.tensor([version, *there, *told], dtype=torch.float64), KEEPER)
        parts = [each if each.grad is None else each.grad for each in self._learns]
        dist.send(torch.cat([each.detach().flatten().float().cpu() for each in parts]), KEEPER)

    def take(self, source: int | None = None) -> Arrived:
        """Wait for a gradient, whosever comes first, and put it into `.grad`."""
        found = dist.recv(self._words, source)
        dist.recv(self._flat, found)
        version, *words = self._words.tolist()
        count = len(self._learns)
        for each, part, there in zip(
            self._learns, self._flat.split([each.numel() for each in self._learns]), words[:count], strict=True
        ):
            each.grad = part.view_as(each).to(each.device, each.dtype, copy=True) if there else None
        return Arrived(found, int(version), tuple(words[count:]))
