"""Gradients: one exact balanced backward for any number of workers; autograd and torch.distributed, no loop, no Ray.

    tape       one shard's graph: local sums of losses, local sums of weights, and the cut if the network names one
    shards     which shards this worker holds; sums follow one fixed tree over their numbers (`collectives.py`)
    mode       where the tasks' gradients are looked at (`modes/`): `losses` not at all, `last_layer`, `features`,
               `parameters`; a method names those its paper allows
    balancer   a Weighting or a Surgery: mathematics on what the mode shows it (`base.py`)

The global loss of task k is (sum over shards of its losses) / (sum over shards of its weights), and every gradient is
of that: uneven shards and missing labels need no further thought. Weights must be known before any trunk is
differentiated, so all shards' graphs are kept until then.

DDP does not see `torch.autograd.grad` (pytorch#47562), so the sums over workers are made here. Stock DDP around the model
does no harm, but with `find_unused_parameters=True` it waits for hooks that never come: `leaves.py` refuses that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from polygraft.balancing.base import Balancer
from polygraft.balancing.choose_mode import CUTS, choose_mode
from polygraft.balancing.collectives import Shards
from polygraft.balancing.flat import Layout
from polygraft.balancing.graphs import NotFinite, Tape
from polygraft.balancing.modes.features import Features
from polygraft.balancing.modes.last_layer import LastLayer
from polygraft.balancing.modes.losses import Losses
from polygraft.balancing.modes.measured import Measured
from polygraft.balancing.modes.mode import Batches, Mode
from polygraft.balancing.modes.parameters import Parameters
from polygraft.balancing.modes.reuse import Reuse
from polygraft.balancing.modes.setup import Setup, local_sums, totals
from polygraft.core.features import Cut

__all__ = ["Cut", "Gradients", "Measured", "NotFinite", "Shards", "Tape", "choose_mode"]

MODES: dict[str, Callable[[Setup], Mode]] = {
    "losses": Losses,
    "last_layer": LastLayer,
    "features": Features,
    "parameters": Parameters,
}
REUSED = "reused."
"""What the names of reused weights begin with in the state, beside the method's own."""


@dataclass(eq=False)
class Gradients:
    """Turns the tapes of this worker's shards into final gradients, in place of `sum(losses).backward()`.

    mode: as `choose_mode` says. tasks: all of them, in one order on every worker. shared: parameters that several tasks
    train. own: by task, parameters that it alone trains. rank: columns of `last_layer`'s sketch, or `full`.
    agreement_every: steps between two measurements of how a cheap mode agrees with `parameters` (K backwards); 0 is never.
    every: steps between two refreshes of the weights, which are reused in between (`modes/reuse.py`).
    Raises UserError for `every` above 1 where the method has no weights.
    """

    balancer: Balancer
    _: KW_ONLY
    mode: str
    tasks: Sequence[str]
    shared: Sequence[nn.Parameter]
    own: Mapping[str, Sequence[nn.Parameter]]
    shards: Shards
    seed: int
    rank: int | Literal["full"] = 16
    agreement_every: int = 50
    every: int = 1

    def __post_init__(self) -> None:
        everything = [*self.shared, *(each for mine in self.own.values() for each in mine)]
        assert len({id(each) for each in everything}) == len(everything), "a parameter is shared, or one task's own"
        assert self.mode in MODES, self.mode
        losses_alone = self.balancer.needs == "losses"
        assert (self.mode == "losses") == losses_alone, f"{type(self.balancer).__name__} in mode {self.mode}"
        assert self.mode == "parameters" or not self.balancer.tracked, "state by column needs columns that stay"
        self.balancer.cpu()  # a few numbers a task; what is tracked by column is made on the parameters' device below
        self.setup = Setup(
            balancer=self.balancer,
            tasks=tuple(self.tasks),
            shared=Layout(self.shared),
            own=self.own,
            shards=self.shards,
            seed=self.seed,
            rank=None if self.rank == "full" else self.rank,
        )
        self.reuse = Reuse(self.setup, self.every) if self.every > 1 else None
        self.way: Mode = MODES[self.mode](self.setup)
        self._refreshed = True

    def backward(self, tapes: Sequence[Tape], step: int, *, independent: Batches = ()) -> Measured:
        """Fill `.grad` of all parameters with the global gradient; what was there is replaced.

        tapes: one for each of this worker's shards, in their order. step: chance is a function of it. independent: the
        tapes of the step's other batches, `batches_of(step) - 1` of them.
        Raises NotFinite on every worker, before anything is changed, when a loss, a gradient or a weight is not.
        """
        batches = (tapes, *independent)
        assert all(len(each) == len(self.shards.mine) for each in batches), (
            f"tapes are not of shards {self.shards.mine}"
        )
        assert len(batches) == self.batches_of(step), f"{len(batches)} batches, {self.batches_of(step)} are needed"
        self._refreshed = self.reuse is None or self.reuse.due(step)
        if self.reuse is not None and not self._refreshed:
            return self.reuse.backward(tapes, step)
        measure = self.agreement_every > 0 and step % self.agreement_every == 0
        before = {name: each.clone() for name, each in self._numbers()}
        try:
            measured = self.way.backward(batches, step, measure=measure)
        except NotFinite:
            for name, each in self._numbers():
                each.copy_(before[name])
            raise
        return measured if self.reuse is None else self.reuse.keep(measured)

    def _numbers(self) -> list[tuple[str, Tensor]]:
        """The method's state, but for what is tracked by column: a few numbers a task."""
        return [(name, each) for name, each in self.balancer.named_buffers() if name not in self.balancer.tracked]

    def snapshot(self) -> Callable[[], None]:
        """What puts this worker's part of the method's state back as it is now; nothing is sent."""
        state = {name: each.clone() for name, each in self.balancer.state_dict().items()}
        return lambda: self.balancer.load_state_dict(state) and None

    def batches_of(self, step: int) -> int:
        """How many independent batches this step is of: the method's `batches`, one where weights are reused."""
        return self.balancer.batches if self.reuse is None or self.reuse.due(step) else 1

    @property
    def at_cut(self) -> bool:
        """Whether the tapes must bring a cut, its aliases read by the tasks."""
        return self.mode in CUTS

    @property
    def observes(self) -> bool:
        """Whether the step owes the method a look at the losses after the update; not where its weights were reused."""
        return self.balancer.observes and self._refreshed

    def observe(self, tapes: Sequence[Tape], step: int) -> None:
        """Show the method the losses of the same batch after the update; the tapes' losses need no graph."""
        setup = self.setup
        known = totals(setup, setup.shards.sum(local_sums(setup, tape) for tape in tapes), tapes, step)
        index = torch.tensor(known.index, dtype=torch.int64)
        self.balancer.observe(torch.tensor(known.losses, dtype=torch.float64), index)

    def state_dict(self) -> dict[str, Tensor]:
        """The method's state, whole on every worker and equal for any number of them; called by every worker.

        What is tracked by column is gathered: [tasks, columns].
        """
        tracked = self.balancer.tracked
        state = {
            name: each.detach().clone() for name, each in self.balancer.state_dict().items() if name not in tracked
        }
        for name in tracked:
            lines = zip(*(block.unbind() for block in self.balancer.blocks(name)), strict=True)
            whole = [self.shards.gather_columns(torch.cat(line), self.setup.shared.size).clone() for line in lines]
            state[name] = torch.stack(whole)
        if self.reuse is not None:
            state |= {f"{REUSED}{name}": each.clone() for name, each in self.reuse.state.items()}
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Strictly: every name and every shape as `state_dict` of this very set-up gives them."""
        tracked = self.balancer.tracked
        mine = dict(state)
        for name in tracked:
            if name in mine:
                blocks = self.shards.blocks(self.setup.shared.size)
                mine[name] = torch.cat([mine[name][:, block].reshape(-1) for block in blocks])
        reused = {name: mine.pop(name) for name in list(mine) if self.reuse is not None and name.startswith(REUSED)}
        self.balancer.load_state_dict(mine, strict=True)
        if self.reuse is not None:
            self.reuse.load({name.removeprefix(REUSED): each for name, each in reused.items()})
