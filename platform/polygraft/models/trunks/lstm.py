"""Long short-term memory, Hochreiter and Schmidhuber 1997 (https://doi.org/10.1162/neco.1997.9.8.1735), in both directions, Graves and Schmidhuber 2005 (https://doi.org/10.1016/j.neunet.2005.06.042)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal, cast

import torch
from torch import Tensor, nn

from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.features import Features, Offer
from polygraft.models.base import Trunk
from polygraft.models.cells import CELLS, Cell
from polygraft.models.padding import blanked, final, flipped, steps_of


class LSTM(Trunk):
    """Recurrent layers on a sequence, a stage each; the last one gives the final state, too, as a vector. A row without a step has zeros.

    Padding is behind what is real, so that no state before it knows of it; the way back begins at a row's own last step. (torch's packed
    sequences do the same 3 to 6 times slower on a CPU.)

    widths: units of each layer, of both directions together, the first one first.
    bidirectional: a second recurrence, from the end, has half of the units.
    cell: `torch`, its own kernel; `written`, the same by its equations, which torch.func can go through; `plain`, no gate at all.
    forget: the forget gate's bias at the start; 1 remembers (Gers et al. 2000; Jozefowicz et al. 2015).
    project: null, or the width of a linear layer behind the last one, on each step and on the final state: what balancers that
        compare gradients of the last layer look at.
    dropout: share of units switched off in training, after each layer.
    """

    wants = "sequence"

    def __init__(
        self,
        offer: Offer,
        /,
        widths: Annotated[Sequence[int], Range(min=1)] = (64,),
        bidirectional: bool = False,
        cell: Literal["torch", "written", "plain"] = "torch",
        forget: float = 1.0,
        project: Annotated[int | None, Range(min=1)] = None,
        dropout: Annotated[float, Range(min=0, below=1)] = 0.0,
    ) -> None:
        super().__init__()
        if not widths:
            raise fault("widths: an LSTM needs at least one layer; give the units of each, e.g. [64].")
        if odd := [units for units in widths if bidirectional and units % 2]:
            raise fault(f"widths: {odd[0]} units are not two halves, one for each direction. Take an even number.")
        stages = []
        for before, units in pairwise((offer.width, *widths)):
            each = units // (1 + bidirectional)
            stages.append(_Layer([CELLS[cell](before, each, forget) for _ in range(1 + bidirectional)], each, dropout))
        self.stages = nn.ModuleList(stages)
        last = stages[-1]
        last.ends = True
        last.project = nn.Linear(widths[-1], project) if project else None
        causal = not bidirectional
        offers = [Offer("sequence", units, causal=causal) for units in (*widths[:-1], project or widths[-1])]
        self.offers = (*offers[:-1], offers[-1].summed_up())

    def last_layer(self) -> nn.Linear | None:
        """The projection."""
        return cast(_Layer, self.stages[-1]).project


class _Layer(nn.Module):
    """One direction or both. ends: whether it gives the final state beside the steps; project: what both then go through."""

    ends = False

    def __init__(self, cells: Sequence[Cell], units: int, dropout: float) -> None:
        super().__init__()
        self.project: nn.Linear | None = None
        self.cells, self.units, self.dropout = nn.ModuleList(cells), units, nn.Dropout(dropout)

    def forward(self, features: Features) -> Features:
        """The sequence [rows, length, before] as [rows, length, units], and the final state [rows, units]."""
        steps, mask = steps_of(features)
        found = self.cells[0](steps)
        if len(self.cells) == 2:
            found = torch.cat([found, flipped(self.cells[1](flipped(steps, mask)), mask)], 2)
        found, state = self.dropout(found), None
        if (
            self.ends
        ):  # of steps that are not blanked yet: a head that reads the state alone has no backward through that
            state = self._state(found, mask)
            if self.project is not None:
                found, state = self._projected(self.project, found, state)
            state = state * mask.any(1, keepdim=True)
        return Features(vector=state, sequence=blanked(found, mask), mask=mask)

    def _state(self, found: Tensor, mask: Tensor) -> Tensor:
        """Forward at a row's last step, backward at its first."""
        if len(self.cells) == 1:
            return final(found, mask)
        there, back = found.tensor_split([self.units], 2)
        return torch.cat([final(there, mask), back[:, 0]], 1)

    def _projected(self, layer: nn.Module, found: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One pass for both, as one step more: a gradient at the layer's output is then all of its gradient."""
        out = layer(torch.cat([found, state[:, None]], 1))
        return out[:, :-1], out[:, -1]
