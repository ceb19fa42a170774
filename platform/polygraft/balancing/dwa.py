"""Dynamic weight average, Liu, Johns and Davison 2019 (https://arxiv.org/abs/1803.10704), equation 7."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.core.catalogue import Range

SMALLEST = 1e-8  # an average below counts as this; losses are > 0


class DWA(Weighting):
    """Lean on the tasks whose loss fell least: weights K softmax(r / temperature), r = last average / the one before.

    The authors average over epochs. A batch here may hold rows of several tables, each with epochs of its own, so the
    averages are over `window` steps. Until a task has two of them its ratio is 1. A window without any label of a task
    leaves its averages as they are.

    temperature: T in the paper; the higher, the closer to equal weights. window: steps of an average; the steps of an
    epoch are the paper's.
    """

    needs = "losses"
    heads = "weighted"

    taken: Tensor
    total: Tensor
    count: Tensor
    averages: Tensor
    windows: Tensor

    def __init__(
        self,
        tasks: int,
        /,
        temperature: Annotated[float, Range(above=0)] = 2.0,
        window: Annotated[int, Range(min=1)] = 100,
    ) -> None:
        super().__init__()
        self.temperature, self.window = temperature, window
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))  # steps of this window
        self.register_buffer("total", torch.zeros(tasks, dtype=torch.float64))  # this window's losses
        self.register_buffer("count", torch.zeros(tasks, dtype=torch.float64))
        self.register_buffer("averages", torch.zeros(2, tasks, dtype=torch.float64))  # older, newer
        self.register_buffer("windows", torch.zeros(tasks, dtype=torch.int64))  # that had a label

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """[K], by the averages of the windows before this step's; they sum to K."""
        if self.taken == self.window:
            self._turn()
        self.taken += 1
        self.total[tasks.index] += tasks.losses
        self.count[tasks.index] += 1
        older, newer = self.averages[:, tasks.index].clamp(min=SMALLEST)
        ratio = torch.where(self.windows[tasks.index] > 1, newer / older, torch.ones_like(newer))
        return len(ratio) * (ratio / self.temperature).softmax(0)

    def _turn(self) -> None:
        seen = self.count > 0
        self.averages[0, seen] = self.averages[1, seen]
        self.averages[1, seen] = self.total[seen] / self.count[seen]
        self.windows[seen] += 1
        for each in (self.taken, self.total, self.count):
            each.zero_()
