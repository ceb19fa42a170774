"""Recurrent cells: long short-term memory, Hochreiter and Schmidhuber 1997 (https://doi.org/10.1162/neco.1997.9.8.1735), with the forget gate of Gers et al. 2000, and the plain recurrent network, Elman 1990."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Cell(nn.Module, ABC):
    """A recurrence over the steps of a sequence, from the first on, that begins with zeros."""

    @abstractmethod
    def forward(self, steps: Tensor) -> Tensor:
        """h_1, ..., h_T [rows, length, units] of steps [rows, length, width]."""


class Torch(Cell):
    """The LSTM of the gates' equations, by torch's own kernel."""

    def __init__(self, width: int, units: int, forget: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, units, batch_first=True)
        with torch.no_grad():  # torch adds two biases; together they begin as one
            biases = dict(self.lstm.named_parameters())
            biases["bias_ih_l0"][units : 2 * units] = forget
            biases["bias_hh_l0"][units : 2 * units] = 0

    def forward(self, steps: Tensor) -> Tensor:
        """[rows, length, units]."""
        return self.lstm(steps)[0]  # type: ignore[no-any-return]


class Scan(Cell):
    """A cell written out, step by step: `torch.func` can go through it, as it cannot through torch's own kernel.

    x W + b is one product for all steps; per step there is h U and what `step` makes of the sum. gates: units of that sum for each of h.
    """

    gates = 1

    def __init__(self, width: int, units: int, forget: float) -> None:
        super().__init__()
        self.units = units
        self.inputs = nn.Linear(width, self.gates * units)
        self.recurrent = nn.Linear(units, self.gates * units, bias=False)
        with torch.no_grad():
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -(units**-0.5), units**-0.5)
            if self.gates > 1:
                self.inputs.bias[units : 2 * units] = forget

    def forward(self, steps: Tensor) -> Tensor:
        """[rows, length, units]."""
        h = c = steps.new_zeros(steps.shape[0], self.units)
        found = []
        for z in self.inputs(steps).unbind(1):
            h, c = self.step(z + self.recurrent(h), c)
            found.append(h)
        return torch.stack(found, 1)

    @abstractmethod
    def step(self, z: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """h and c of this step, [rows, units]. z: x W + b + h U, [rows, gates * units]; c: of the step before."""


class Written(Scan):
    """c' = f c + i g, h' = o tanh(c'), with i, f, o = sigmoid and g = tanh of the four parts of z, in torch's order i, f, g, o."""

    gates = 4

    def step(self, z: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """h and c."""
        i, f, g, o = z.chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class Plain(Scan):
    """h' = tanh(z): no gate, no memory cell."""

    def step(self, z: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """h, and the c of before, which nobody reads."""
        return z.tanh(), c


CELLS: dict[str, type[Torch] | type[Written] | type[Plain]] = {"torch": Torch, "written": Written, "plain": Plain}
