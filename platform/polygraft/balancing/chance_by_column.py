"""Random numbers by GLOBAL column: a pure function of (key, column), so that a worker draws its own columns alone."""

from __future__ import annotations

import torch
from torch import Tensor

# splitmix64 (Steele et al. 2014, https://doi.org/10.1145/2660193.2660195), its constants as signed numbers; int64 wraps
GOLDEN, FIRST, SECOND = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15


def draw_key(chance: torch.Generator) -> int:
    """A key of 63 bits from a step's generator, which is the same on every worker."""
    return int(torch.randint(0, 2**63 - 1, (), generator=chance, dtype=torch.int64))


def uniform(key: int, columns: Tensor) -> Tensor:
    """Float32 in [0, 1), one for each of the int64 `columns`."""
    word = (columns + 1) * GOLDEN + key
    word = (word ^ _right(word, 30)) * FIRST
    word = (word ^ _right(word, 27)) * SECOND
    word = word ^ _right(word, 31)
    return _right(word, 40).to(torch.float32) * 2.0**-24


def _right(word: Tensor, bits: int) -> Tensor:
    """A logical shift: torch's own carries the sign."""
    return (word >> bits) & ((1 << (64 - bits)) - 1)
