"""How good found boxes are: average precision as COCO has it (Lin et al. 2014, https://arxiv.org/abs/1405.0312; https://cocodataset.org/#detection-eval).

Precision is read at 101 recalls, 0, .01, ..., 1, each the best at that recall or a higher one; matches are made at overlaps of .5, .55, ..., .95.
found: class (from 1, 0 is none), score, box, the surest first, [rows, most, 6]; true: class, box, [rows, objects, 5], class 0 is none.
"""

from __future__ import annotations

import torch
from torch import Tensor

from polygraft.objectives.overlaps import each_with_each

OVERLAPS = tuple(0.5 + step / 20 for step in range(10))
_RECALLS = 101


def average_precisions(found: Tensor, true: Tensor) -> Tensor | None:
    """Float64 [overlaps]: at each overlap the mean over the classes that have an object; None where none has."""
    hits = matched(found, true)
    parts = []
    for each in true[..., 0].unique():
        if each > 0:
            mine = found[..., 0] == each
            order = found[..., 1][mine].argsort(descending=True, stable=True)
            parts.append(_precision(hits[:, mine][:, order], int((true[..., 0] == each).sum())))
    return torch.stack(parts).mean(0) if parts else None


def matched(found: Tensor, true: Tensor) -> Tensor:
    """Bool [overlaps, rows, most]: whether a found box is right. The surest first, each takes the true one of its class that it
    overlaps most, of those that are left, where that is enough.
    """
    same = (found[..., 0, None] == true[:, None, :, 0]) & (found[..., 0, None] > 0)
    shared = torch.where(same, each_with_each(found[..., 2:], true[..., 1:]), -1.0)  # [rows, most, objects]
    enough = torch.tensor(OVERLAPS, dtype=shared.dtype)[:, None]
    free = torch.ones(len(OVERLAPS), len(true), true.shape[1], dtype=torch.bool)
    hits = torch.zeros(len(OVERLAPS), *found.shape[:2], dtype=torch.bool)
    for place in range(found.shape[1] if true.shape[1] else 0):
        best, taken = torch.where(free, shared[:, place], -1.0).max(2)
        hits[..., place] = best >= enough
        free &= ~(torch.nn.functional.one_hot(taken, true.shape[1]).bool() & hits[..., place, None])
    return hits


def _precision(hits: Tensor, objects: int) -> Tensor:
    """[overlaps] of bool [overlaps, n] in the order of scores: the mean of precision at the recalls."""
    right = hits.double().cumsum(1)
    recall = right / objects
    precision = right / torch.arange(1, hits.shape[1] + 1)
    best = precision.flip(1).cummax(1).values.flip(1) if hits.shape[1] else precision
    best = torch.nn.functional.pad(best, (0, 1))  # of a recall that is not reached
    wanted = torch.linspace(0, 1, _RECALLS, dtype=torch.float64).expand(len(hits), -1).contiguous()
    return best.gather(1, torch.searchsorted(recall, wanted)).mean(1)


def taken(found: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """(IoU [rows, objects] of each true box with the found one that takes it; bool, whether that named its class); 0 of one left over.

    The surest first, each found box of whatever class takes the true one that it overlaps most, of those that are left.
    """
    shared = each_with_each(found[..., 2:], true[..., 1:])
    overlap, named = torch.zeros_like(true[..., 0]), torch.zeros_like(true[..., 0], dtype=torch.bool)
    free = true[..., 0] > 0
    for place in range(found.shape[1] if true.shape[1] else 0):
        best, at = torch.where(free, shared[:, place], 0.0).max(1)
        mine = torch.nn.functional.one_hot(at, true.shape[1]).bool() & (best > 0)[:, None]
        overlap = torch.where(mine, best[:, None], overlap)
        named = torch.where(mine, found[:, place, :1] == true[..., 0], named)
        free = free & ~mine
    return overlap, named
