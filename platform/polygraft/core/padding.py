"""Rows of different lengths as one tensor: what is shorter has zeros behind it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def padded(rows: Tensor, shape: Sequence[int]) -> Tensor:
    """[rows, *shape] of rows [rows, ...] that are nowhere longer; itself where it is that already."""
    lacks = [0] * 2 * len(shape)  # (before, after), of the last axis first
    lacks[1::2] = [wanted - found for wanted, found in zip(reversed(shape), reversed(rows.shape[1:]), strict=True)]
    return functional.pad(rows, lacks) if any(lacks) else rows


def stacked(parts: Sequence[Tensor]) -> Tensor:
    """The rows of all parts, [rows, ...] each, behind one another."""
    shape = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    return torch.cat([padded(part, shape) for part in parts])
