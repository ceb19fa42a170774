"""Objective: what a task minimises, how it is scored, what it says to a person."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from polygraft.core.batch import Batch
from polygraft.core.errors import fault
from polygraft.core.exhibits import Exhibit
from polygraft.core.features import Offer
from polygraft.models.network import Network, View


@dataclass(frozen=True)
class Loss:
    """LOCAL sums over a shard's rows, scalars; nothing is divided here.

    The step adds both over all shards, then divides: an uneven shard, or one without a label, counts as what it is. A loss that
    is no sum over rows (MMD, a contrastive batch) has weight 1 a shard. errors: how wrong each row was [rows], for a stream that
    prefers what surprised.
    """

    total: Tensor
    weight: Tensor
    errors: Tensor | None = None

    @classmethod
    def over_rows(cls, rows: Tensor, weights: Tensor) -> Loss:
        """Of losses [rows] and weights [rows]; a row of weight 0 gives exactly no gradient, as its loss is finite."""
        return cls((rows * weights).sum(), weights.sum())


@dataclass(frozen=True)
class Player:
    """One who moves parameters to lower a loss; each has an optimiser of its own, the balancer acts on `main`.

    moves: which parameters: `shared` (below the cut), `own` (behind it), `objective` (the objective's own).
    every: moves at steps that this divides.
    """

    name: str
    moves: tuple[Literal["shared", "own", "objective"], ...] = ("shared", "own", "objective")
    every: int = 1


class Objective(nn.Module, ABC):
    """What one task wants. Asks for `task: str` and `target: Target`, or, without labels, for `inputs: Inputs`, what its table's
    encoded rows look like. What it remembers (means, averages, a second network) is buffers and parameters of its own, so it is
    saved; masks multiply, no shape depends on the data.

    Class facts: target - the kind of target it is for, of `data/target_kinds`, or the kinds; None for none. default_head. better - by metric, `max` or `min`.
    views - ways in which it sees its rows, `plain` or corrupted by `corrupt`; players - one, as a rule: an instance may have
    others than its class. plays - whether it learns from an environment (`policies.py`) and not from a table.
    task, outputs: its task's name, and the size of the head it needs.
    """

    target: ClassVar[str | tuple[str, ...] | None] = None
    default_head: ClassVar[str] = "dense"
    better: ClassVar[Mapping[str, str]] = {}
    views: tuple[str, ...] = ("plain",)
    plays: ClassVar[bool] = False
    players: tuple[Player, ...] = (Player("main"),)

    task: str
    outputs: int

    @property
    def width(self) -> int:
        """The last axis of its answers."""
        return self.outputs

    def player(self, name: str) -> Player:
        """The player of this name."""
        return next(each for each in self.players if each.name == name)

    def stand_on(self, offer: Offer) -> Offer:
        """What its head reads, of what the backbone offers; whatever of its own stands between the two is made here, once."""
        return offer

    def answers(self, view: View) -> Tensor:
        """[rows, ...]: what `predict`, `scores` and `exhibits` are given of the rows that `view` saw; as a rule the raw outputs.

        An objective that is scored by its inputs puts these beside them.
        """
        return view.outputs[self.task]

    @abstractmethod
    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """What `player` lowers, summed over the rows of `{table: Batch}` that `view` saw."""

    @abstractmethod
    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """Columns for a person, [rows] each, of answers [rows, size]: labels by name, probabilities, values in their unit."""

    @abstractmethod
    def scores(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> dict[str, float]:
        """Metrics of answers [rows, size] over the rows whose label is present; finite numbers only.

        A metric that these rows do not define (an AUC of one class) is left out. `improvement` is among them: the share of the
        best constant prediction's loss on the same rows that is gone: 1 is perfect, 0 no better than it, less is worse.
        """

    def improvement(self, scores: Mapping[str, float]) -> float:
        """`improvement` of these scores; 0 where the rows do not define it."""
        return scores.get("improvement", 0.0)

    def exhibits(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> list[Exhibit]:
        """Pictures of how the outputs stand to the targets; none unless an objective has some."""
        return []

    def looks(self, view: View, words: Sequence[Sequence[str]]) -> list[Exhibit]:
        """Where it looked in the few rows that `view` saw, whose tokens these are; none unless an objective looks anywhere."""
        return []

    def seen(self, view: View, name: str) -> View:
        """The rows of `view` as this task's view `name` shows them: corrupted once a pass, however often it is asked."""
        if name == "plain":
            return view
        return view.seen(self.task, name, lambda inputs: self.corrupt(inputs, name))

    def corrupt(self, inputs: Mapping[str, Tensor], view: str) -> Mapping[str, Tensor]:
        """A batch's inputs as `view` wants them seen; chance is torch's own, which is set before each pass."""
        assert view == "plain", f"{type(self).__name__} has no view '{view}'"
        return inputs

    def meet(self, network: Network) -> None:
        """Called once, with the fresh network, before anything is loaded: what it wants of it for itself (a second network)."""

    def after_step(self, network: Network) -> None:
        """Follow the new weights (target networks, moving averages)."""

    def labels(self, view: View, batch: Mapping[str, Batch]) -> tuple[Tensor, Tensor]:
        """The task's targets, 0 where missing, and each row's weight, 0 where missing."""
        rows = batch[view.network.tables[self.task]]
        present, targets = rows.present[self.task], rows.targets[self.task]
        shown = present.view(-1, *[1] * (targets.ndim - 1))
        return torch.where(shown, targets, torch.zeros_like(targets)), rows.weights * present


def exact(outputs: Tensor) -> Tensor:
    """Outputs in float32 at least: losses are not summed in bfloat16."""
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))


def scored(outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs (float64), targets and weights (float64) of the rows that count: labelled, of positive weight."""
    rows = present & (weights > 0)
    return outputs[rows].double(), targets[rows], weights[rows].double()


def differ(targets: Tensor) -> bool:
    """Whether the rows are not all the same; asked exactly, as a variance of equal numbers may round to more than 0."""
    return bool((targets != targets[:1]).any())


def vector_of(offer: Offer) -> int:
    """The width of the vector that a backbone offers. Raises UserError where it offers none."""
    vector = offer.of("vector")
    if vector is None:
        raise fault(
            f"it stands on a vector, and the backbone offers {offer.kind}. Take a backbone that ends in a vector."
        )
    return vector.width
