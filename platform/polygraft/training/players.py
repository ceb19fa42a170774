"""Players: who moves beside `main`, each with an optimiser of its own, on the same rows once `main` has moved (Goodfellow et al. 2014)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from polygraft.balancing.collectives import Shards
from polygraft.balancing.flat import Layout
from polygraft.balancing.graphs import NotFinite
from polygraft.objectives.base import Loss, Player
from polygraft.training.learner import Learner
from polygraft.training.optimizers import load_optimizer, optimizer_tensors

MakeOptimizer = Callable[[list[tuple[str, nn.Parameter]]], Optimizer]
"""An optimiser over named parameters."""
Ask = Callable[[int, str, str], Loss | None]
"""(place of a shard among this rank's, task, player) -> what that player lowers there; None where the task's table is not there."""

Prepare = Callable[[Optimizer, Iterable[Tensor]], None]
"""What is done with an optimiser and the gradients of these before it moves them."""


@dataclass(frozen=True)
class Seat:
    """One player of one task, what it moves and with what."""

    task: str
    player: Player
    names: Mapping[Tensor, str]
    optimizer: Optimizer
    layout: Layout

    @property
    def name(self) -> str:
        """In the state, and in words."""
        return f"{self.task}/{self.player.name}"


class Players:
    """All players but `main`, in the suite's order.

    Each lowers a global mean, summed over shards in the one fixed order, so that workers change no bit of it.
    """

    def __init__(self, learner: Learner, make: MakeOptimizer, shards: Shards) -> None:
        self.shards = shards
        self.seats: list[Seat] = []
        names = {parameter: name for name, parameter in learner.named_parameters()}
        for task, objective in learner.tasks():
            for player in objective.players:
                if player.name != "main":
                    mine: dict[Tensor, str] = {each: names[each] for each in learner.moved(task, player)}
                    optimizer = make([(names[each], each) for each in learner.moved(task, player)])
                    self.seats.append(Seat(task, player, mine, optimizer, Layout(list(mine))))

    def move(self, step: int, ask: Ask, prepare: Prepare) -> None:
        """Every player whose turn it is, one after the other. prepare: sets the rate, and bounds the gradient, before a move.

        Raises NotFinite, on every worker and before anything of that player has moved.
        """
        for seat in self.seats:
            if step % seat.player.every == 0:
                self._move(seat, step, ask, prepare)

    def _move(self, seat: Seat, step: int, ask: Ask, prepare: Prepare) -> None:
        layout, rows, counted = seat.layout, [], []
        for place in range(len(self.shards.mine)):
            loss = ask(place, seat.task, seat.player.name)
            if loss is None:
                return  # a step's tables are the same on every worker
            grads = torch.autograd.grad(loss.total, layout.parameters, allow_unused=True)
            rows.append(layout.flatten(grads))
            counted.append(torch.stack([loss.total.detach(), loss.weight]).to(layout.dtype))
        total, weight = self.shards.sum(counted).tolist()
        summed = self.shards.sum(rows)
        if not isfinite(total) or not bool(summed.isfinite().all()):
            raise NotFinite(step, (seat.name,), "gradient" if isfinite(total) else "loss", ())
        if weight > 0:
            for parameter, gradient in zip(layout.parameters, layout.parts(summed / weight), strict=True):
                parameter.grad = gradient
            prepare(seat.optimizer, layout.parameters)
            seat.optimizer.step()
            seat.optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Tensor]:
        """`<task>/<player>/<parameter>/<slot>`."""
        return {
            f"{seat.name}/{key}": each
            for seat in self.seats
            for key, each in optimizer_tensors(seat.optimizer, seat.names).items()
        }

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        """Put a saved state back."""
        for seat in self.seats:
            start = f"{seat.name}/"
            mine = {key.removeprefix(start): each for key, each in tensors.items() if key.startswith(start)}
            load_optimizer(seat.optimizer, seat.names, mine)
