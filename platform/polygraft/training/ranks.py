"""Which of the fellow workers this process is, and the few words they exchange outside the gradients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from polygraft.core import padding

_AXES = 8  # behind that of rows; more than any outputs have
_ALONE: ContextVar[bool] = ContextVar("alone", default=False)


def rank() -> int:
    """This process's number; 0 when it works alone."""
    return 0 if world() == 1 else dist.get_rank()


def world() -> int:
    """How many processes share the work; 1 when this one works alone."""
    there = dist.is_available() and dist.is_initialized() and not _ALONE.get()
    return dist.get_world_size() if there else 1


@contextmanager
def alone() -> Iterator[None]:
    """Inside, this process works alone, whatever group it is of."""
    before = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(before)


def share(total: int) -> range:
    """This rank's contiguous part of `total` numbered pieces of work."""
    return range(rank() * total // world(), (rank() + 1) * total // world())


def agree(value: Any, device: torch.device) -> Any:
    """Rank 0's JSON value, on every rank: clocks, scores and signals decide on one rank only."""
    if world() == 1:
        return value
    text = json.dumps(value).encode() if rank() == 0 else b""
    length = torch.tensor([len(text)], dtype=torch.int64, device=device)
    dist.broadcast(length, 0)
    letters = torch.empty(int(length), dtype=torch.uint8, device=device)
    if rank() == 0:
        letters.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
    dist.broadcast(letters, 0)
    return json.loads(bytes(letters.cpu().tolist()))


def agree_flags(flags: tuple[bool, ...], device: torch.device) -> tuple[bool, ...]:
    """Rank 0's flags, on every rank; one small broadcast, cheap enough for every step."""
    if world() == 1:
        return flags
    told = torch.tensor(flags, dtype=torch.uint8, device=device)
    dist.broadcast(told, 0)
    return tuple(bool(each) for each in told.tolist())


def gather_rows(part: Tensor, lengths: list[int]) -> Tensor | None:
    """All ranks' rows, `[sum(lengths), ...]`, in the order of ranks, on rank 0; None elsewhere.

    part: this rank's `[lengths[rank], ...]`. Padded to the longest in every axis, since collectives want equal shapes.
    """
    if world() == 1:
        return part
    part = _as_long_as_any(part)
    padded = part.new_zeros((max(lengths), *part.shape[1:]))
    padded[: len(part)] = part
    parts = [torch.empty_like(padded) for _ in lengths] if rank() == 0 else None
    dist.gather(padded, parts, dst=0)
    return torch.cat([each[:length] for each, length in zip(parts, lengths, strict=True)]) if parts else None


def _as_long_as_any(part: Tensor) -> Tensor:
    """This rank's rows, in every axis behind the first as long as the longest of any rank; a rank without rows has any shape."""
    shape = torch.zeros(_AXES, dtype=torch.int64, device=part.device)
    if len(part):
        shape[: part.ndim - 1] = torch.tensor(part.shape[1:], dtype=torch.int64) + 1
    dist.all_reduce(shape, dist.ReduceOp.MAX)
    longest = (shape[shape > 0] - 1).tolist()
    return padding.padded(part, longest) if len(part) else part.new_zeros((0, *longest))


def gather(value: Any) -> list[Any] | None:
    """All ranks' values, in the order of ranks, on rank 0; None elsewhere. Called by every rank."""
    if world() == 1:
        return [value]
    values: list[Any] | None = [None] * world() if rank() == 0 else None
    dist.gather_object(value, values, dst=0)
    return values


def wait() -> None:
    """Return when every rank is here."""
    if world() > 1:
        dist.barrier()
