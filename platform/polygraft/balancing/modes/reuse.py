"""Reuse: weights that are computed every n steps; a step in between is a plain weighted one, whatever the mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from polygraft.balancing.base import Surgery
from polygraft.balancing.graphs import Tape
from polygraft.balancing.modes.follow import follow
from polygraft.balancing.modes.measured import Measured
from polygraft.balancing.modes.mode import measured, rest
from polygraft.balancing.modes.setup import Setup, local_sums, totals
from polygraft.core.errors import fault


class Reuse:
    """The weights of the latest refresh, by task.

    Refreshed at the steps t with t % every == 0: by number, so that a run that goes on refreshes where the other did.
    A task that was absent then keeps the weight it had before; 1 as long as it has none.
    weights: float64 [tasks]; known: bool [tasks], whether a refresh has given it one.
    Raises UserError for a Surgery, which has no weights that could be kept.
    """

    def __init__(self, setup: Setup, every: int) -> None:
        if isinstance(setup.balancer, Surgery):
            raise fault(
                f"every: {every}, but {type(setup.balancer).__name__} combines the gradients element by element and has no "
                "weights to reuse. Leave every out, or take a balancer that gives each task a weight."
            )
        self.setup, self.every = setup, every
        self.state: dict[str, Tensor] = {
            "weights": torch.ones(len(setup.tasks), dtype=torch.float64),
            "known": torch.zeros(len(setup.tasks), dtype=torch.bool),
        }

    def due(self, step: int) -> bool:
        """Whether the weights are computed anew at this step."""
        return step % self.every == 0

    def backward(self, tapes: Sequence[Tape], step: int) -> Measured:
        """An ordinary step along the kept weights: no Gramian, one trunk backward."""
        setup = self.setup
        known = totals(setup, setup.shards.sum(local_sums(setup, tape) for tape in tapes), tapes, step)
        if not known.names:
            return rest(setup, known)
        weights: list[float] = self.state["weights"][list(known.index)].tolist()
        follow(setup, known, tapes, weights)
        return measured(known, weights=weights)

    def keep(self, seen: Measured) -> Measured:
        """Keep a refresh's weights, and say how far the old ones had drifted from them."""
        if seen.weights is None:
            return seen
        index = torch.tensor([self.setup.tasks.index(task) for task in seen.tasks])
        old = self.state["weights"][index]
        moved = drift(old, seen.weights, seen.gramian) if self.state["known"][index].any() else {}
        self.state["weights"][index] = seen.weights
        self.state["known"][index] = True
        return replace(seen, drift=moved)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Raises RuntimeError for a name that is missing or too many, or a shape that is not this one's."""
        if wrong := sorted(self.state.keys() ^ state.keys()):
            raise RuntimeError(f"the state of reused weights: missing or unexpected {', '.join(wrong)}")
        for name, mine in self.state.items():
            if mine.shape != state[name].shape:
                raise RuntimeError(f"reused {name}: of shape {tuple(state[name].shape)}, not {tuple(mine.shape)}")
            mine.copy_(state[name])


def drift(old: Tensor, new: Tensor, gramian: Tensor | None) -> dict[str, float]:
    """How far weights [K] have gone from the old ones.

    cosine: of the directions that both follow, where the Gramian [K, K] is known and neither is of length 0.
    change: |new - old| / |old|, where that is not 0.
    """
    found: dict[str, float] = {}
    if gramian is not None:
        square = float((old @ gramian @ old) * (new @ gramian @ new))
        if square > 0:
            found["cosine"] = float(old @ gramian @ new) / square**0.5
    if (length := float(old.norm())) > 0:
        found["change"] = float((new - old).norm()) / length
    return found
