"""Gradient sign dropout, Chen et al. 2020 (https://arxiv.org/abs/2010.06808), algorithm 1."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from polygraft.balancing.base import Blocks, Surgery, TaskGradients
from polygraft.balancing.chance_by_column import draw_key, uniform
from polygraft.core.catalogue import Range


class GradDrop(Surgery):
    """For each column draw one sign, the likelier the more of the gradients' mass has it, and drop what has the other.

    The paper acts on the features, all tasks reading the same rows, and so does mode `features`; `parameters` acts on
    the shared weights' gradients instead, as LibMTL offers too.

    leak: share of what is dropped that is let through all the same.
    """

    modes = ("features", "parameters")
    cost = "K gradients held at the features; in parameters mode K backwards"

    def __init__(self, leak: Annotated[float, Range(min=0, max=1)] = 0.0) -> None:
        super().__init__()
        self.leak = leak

    def combine(self, tasks: TaskGradients) -> Blocks:
        """[width] each."""
        key = draw_key(tasks.chance)
        drawn = (uniform(key, columns) for columns in tasks.columns)
        return tuple(self._kept(rows, draw) for rows, draw in zip(tasks.rows, drawn, strict=True))

    def _kept(self, rows: Tensor, draw: Tensor) -> Tensor:
        total, mass = rows.sum(0), rows.abs().sum(0)
        purity = 0.5 * (1 + total / mass.clamp(min=torch.finfo(rows.dtype).tiny))  # P, equation 1
        positive = purity > draw
        kept = torch.where(positive, rows > 0, rows < 0).to(rows.dtype)
        return (rows * (self.leak + (1 - self.leak) * kept)).sum(0)
