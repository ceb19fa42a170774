"""A Batch: rows of ONE table, with what each task wants of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Rows of one table, frozen. Tasks of one table share one Batch, and its inputs are encoded once.

    inputs: by name, `numbers [rows, n] float32`, `categories [rows, m] int32`; and as `Input` says, under its name, the likes of
        `tokens/review [rows, length] int32`, `series/load [rows, length, channels] float32`, `image/photo [rows, c, h, w] uint8`.
        Where rows differ in length, these are padded with 0, and `tokens_mask/review [rows, length] bool` is True on what is real.
    targets: by task, `[rows]` or `[rows, ...]`; a missing label holds any finite value; nothing of a task without a target.
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

    def asked(self, task: str) -> tuple[Tensor, Tensor]:
        """(targets, present) of a task; one without a target asks nothing [rows, 0], and every row counts."""
        if task in self.targets:
            return self.targets[task], self.present[task]
        return self.weights.new_empty(len(self.weights), 0), torch.ones_like(self.weights, dtype=torch.bool)

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
class Input:
    """One input of a batch that is neither `numbers` nor `categories`: what a stem is built from.

    name: `<kind>/<column>`. kind: what it is, and so which stem reads it: `tokens`, `series`, `image`, ...
    shape: of one row, None where rows differ: tokens (None,), series (None, channels), image (c, h, w).
    moved: of an image, whether training shows another part of it, or its mirror image, than the row says.
    black, white: of an image, what the darkest and the brightest pixel are in each channel, once it is normalised.
    length: the longest that a row may be, where rows differ. size: of tokens, how many codes there are; 0 is padding, 1 the
        unknown one. masked: whether some of a row may be padding, and a mask says which.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    length: int = 0
    size: int = 0
    masked: bool = False
    black: tuple[float, ...] = ()
    white: tuple[float, ...] = ()
    moved: bool = False

    @property
    def mask(self) -> str:
        """The name under which a batch holds its mask, where there is one."""
        return mask_name(self.name)


@dataclass(frozen=True)
class Inputs:
    """What a table's encoded rows look like: what a stem is built from.

    numbers: columns of `numbers`, missing-value indicators included.
    categories: levels of each column of `categories`; level 0 is the unknown one and is counted.
    others: every input beyond these two matrices, in the order of the columns.
    """

    numbers: int = 0
    categories: tuple[int, ...] = ()
    others: tuple[Input, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which kinds of input there are, `numbers` and `categories` first."""
        plain = ["numbers"] * bool(self.numbers) + ["categories"] * bool(self.categories)
        return (*plain, *dict.fromkeys(each.kind for each in self.others))

    def of(self, *kinds: str) -> Inputs:
        """Those of these kinds alone."""
        return Inputs(
            self.numbers if "numbers" in kinds else 0,
            self.categories if "categories" in kinds else (),
            tuple(each for each in self.others if each.kind in kinds),
        )


def mask_name(name: str) -> str:
    """`tokens/review` -> `tokens_mask/review`."""
    kind, _, column = name.partition("/")
    return f"{kind}_mask/{column}"
