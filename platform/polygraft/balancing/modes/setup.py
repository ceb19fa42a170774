"""What every mode works on: the balancer, the parameters, the shards; and a step's global losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

import torch
from torch import Tensor, nn

from polygraft.balancing.base import Balancer
from polygraft.balancing.collectives import Shards
from polygraft.balancing.flat import Layout
from polygraft.balancing.graphs import NotFinite, Tape


@dataclass(frozen=True)
class Setup:
    """What stays the same from step to step."""

    balancer: Balancer
    tasks: tuple[str, ...]
    shared: Layout
    own: Mapping[str, Sequence[nn.Parameter]]
    shards: Shards
    seed: int
    rank: int | None  # columns of the sketch; None is full
    _layouts: dict[tuple[int, ...], Layout] = field(default_factory=dict)  # by the parameters' identities

    @property
    def dtype(self) -> torch.dtype:
        """What sums are made in: float32 at least."""
        return self.shared.dtype

    def layout(self, parameters: Sequence[Tensor]) -> Layout:
        """Of these parameters, made once: as many there are as there are sets of tasks that come together."""
        key = tuple(map(id, parameters))
        if key not in self._layouts:
            self._layouts[key] = Layout(parameters)
        return self._layouts[key]


@dataclass(frozen=True)
class Totals:
    """A step's global losses and weights of the tasks that are present in it.

    index: their numbers among all tasks. losses: means. weights: sums over all rows of the global batch.
    """

    step: int
    names: tuple[str, ...]
    index: tuple[int, ...]
    losses: tuple[float, ...]
    weights: tuple[float, ...]


def local_sums(setup: Setup, tape: Tape) -> Tensor:
    """[2 tasks]: a shard's losses, then its weights; 0 where it has none."""
    nothing = torch.zeros((), dtype=setup.dtype, device=setup.shared.device)
    losses = [tape.losses[task].detach() if task in tape.losses else nothing for task in setup.tasks]
    weights = [tape.weights.get(task, 0.0) for task in setup.tasks]
    if any(isinstance(each, Tensor) for each in weights):
        counted = torch.stack([torch.as_tensor(each, dtype=setup.dtype, device=nothing.device) for each in weights])
    else:
        counted = torch.tensor(weights, dtype=setup.dtype, device=nothing.device)
    return torch.cat([torch.stack([each.to(setup.dtype) for each in losses]), counted])


def totals(setup: Setup, sums: Tensor, tapes: Sequence[Tape], step: int) -> Totals:
    """What the summed `local_sums` say. Raises NotFinite, the same on every worker, for a loss that is not."""
    numbers = sums.tolist()
    losses, weights = numbers[: len(setup.tasks)], numbers[len(setup.tasks) :]
    broken = [k for k, pair in enumerate(zip(losses, weights, strict=True)) if not all(map(isfinite, pair))]
    if broken:
        names = tuple(setup.tasks[k] for k in broken)
        raise NotFinite(step, names, "loss", _shards_at_fault(setup, tapes, names))
    present = tuple(k for k, weight in enumerate(weights) if weight > 0)
    return Totals(
        step,
        tuple(setup.tasks[k] for k in present),
        present,
        tuple(losses[k] / weights[k] for k in present),
        tuple(weights[k] for k in present),
    )


def of_means(gramian: Tensor, known: Totals) -> Tensor:
    """[K, K] on the CPU: of the present tasks' MEAN losses, from that of all tasks' summed ones."""
    square = gramian.cpu()
    if len(known.index) < len(square):
        square = square[list(known.index)][:, list(known.index)]
    scale = 1 / torch.tensor(known.weights, dtype=torch.float64)
    return (square + square.T) / 2 * scale * scale[:, None]


def _shards_at_fault(setup: Setup, tapes: Sequence[Tape], names: Sequence[str]) -> tuple[int, ...]:
    def fine(tape: Tape) -> bool:
        return all(bool(tape.losses[name].isfinite()) for name in names if name in tape.losses)

    return tuple(shard for shard, tape in zip(setup.shards.mine, tapes, strict=True) if not fine(tape))
