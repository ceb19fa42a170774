"""A Batch: rows of ONE table, with what each task wants of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Rows of one table, frozen. Tasks of one table share one Batch, and its inputs are encoded once.

    inputs: by name, `numbers [rows, n] float32`, `categories [rows, m] int32`, `image [rows, c, h, w] uint8`,
        `tokens [rows, length] int32` (with `tokens_mask [rows, length] bool`), ...
    targets: by task, `[rows]` or `[rows, ...]`; a missing label holds any finite value.
    present: by task, bool [rows]; False where the label is missing.
    weights: float32 [rows], the rows' weights.
    rows: int64 [rows], the rows' numbers in their table.
    """

    inputs: dict[str, Tensor]
    targets: dict[str, Tensor] = field(default_factory=dict)
    present: dict[str, Tensor] = field(default_factory=dict)
    weights: Tensor = field(default_factory=lambda: torch.empty(0))
    rows: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def label_weights(self, task: str) -> Tensor:
        """Float32 [rows]: the row's weight where the task's label is present, else 0."""
        return self.weights * self.present[task]

    def to(self, device: torch.device) -> Batch:
        """The same rows on another device; itself when it is there already."""
        if self.rows.device == device:
            return self

        def move(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            return {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}

        return replace(
            self,
            inputs=move(self.inputs),
            targets=move(self.targets),
            present=move(self.present),
            weights=self.weights.to(device, non_blocking=True),
            rows=self.rows.to(device, non_blocking=True),
        )


@dataclass(frozen=True)
class Inputs:
    """What a table's encoded rows look like: what a stem is built from.

    numbers: columns of `numbers`, missing-value indicators included.
    categories: levels of each column of `categories`; level 0 is the unknown one and is counted.
    """

    numbers: int = 0
    categories: tuple[int, ...] = ()
